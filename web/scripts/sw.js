"use strict";
// The service worker: shows pages as notifications, and acknowledges from them. It caches nothing; all it keeps is the subscription
// that Midwatch knows, by which it can say later that there is another in its place.

// Events after which nobody need answer any more.
const over = (event) => event === "resolved" || event === "stand_down";

self.addEventListener("install", () => self.skipWaiting());
self.addEventListener("activate", (e) => e.waitUntil(Promise.all([self.clients.claim(), inherit()])));

const show = async (page) => {
  const actions = [];
  if (page.ack_url) actions.push({ action: "acknowledge", title: page.action || "Acknowledge" });
  if (page.incident_url) actions.push({ action: "open", title: "Open" });
  if (over(page.event) && page.incident) {
    for (const shown of await self.registration.getNotifications()) {
      if (shown.data && shown.data.incident === page.incident && shown.tag !== page.tag) shown.close();
    }
  }
  // Browsers that show no notification for a push take the subscription away, so what is over is shown too, without a sound.
  await self.registration.showNotification(page.title || "Midwatch", {
    body: page.body || "",
    tag: page.tag,
    data: page,
    actions: actions,
    silent: over(page.event),
    renotify: !over(page.event) && Boolean(page.tag),
    requireInteraction: !over(page.event) && Boolean(page.ack_url),
  });
};

self.addEventListener("push", (e) => {
  let page;
  try {
    page = e.data.json();
  } catch (err) {
    page = { title: "Midwatch has a page for you", body: "Its text could not be read. Open Midwatch." };
  }
  e.waitUntil(show(page));
});

// Where the page that subscribes leaves the subscription; the name is in push.js too.
const shelf = "midwatch-subscription";

const kept = async () => {
  const found = await (await caches.open(shelf)).match("subscription");
  return found ? found.json() : null;
};

const keep = async (subscription) => (await caches.open(shelf)).put("subscription", new Response(JSON.stringify(subscription)));

// inherit takes note of what a worker before this one was subscribed with, which kept no note.
const inherit = async () => {
  const have = await self.registration.pushManager.getSubscription();
  if (have && !(await kept())) await keep(have);
};

const bytes = (text) => {
  const plain = atob(text.replace(/-/g, "+").replace(/_/g, "/"));
  return Uint8Array.from(plain, (c) => c.charCodeAt(0));
};

// at is an address of ours: everything lies beside this script.
const at = (path) => new URL(path, self.registration.scope).href;

// present is the subscription that the browser has now; where it has none, one is made, as the person once allowed.
const present = async (given) => {
  const manager = self.registration.pushManager;
  const have = given || (await manager.getSubscription());
  if (have) return have;
  const key = await fetch(at("push/key"), { credentials: "omit" });
  if (!key.ok) throw new Error("the server answered " + key.status);
  return manager.subscribe({ userVisibleOnly: true, applicationServerKey: bytes((await key.text()).trim()) });
};

// What Midwatch refuses for good; anything else may pass, and is tried again for as long as a browser lets a worker live.
const final = (status) => status >= 400 && status < 500 && status !== 408 && status !== 429;
const pauses = [1000, 3000, 9000];

// renew has Midwatch put the subscription that there is now in the place of the one that it knows.
const renew = async (given, old) => {
  for (let tries = 0; ; tries++) {
    let why = "";
    try {
      const now = (await present(given)).toJSON();
      const answer = await fetch(at("push/renew"), {
        method: "POST",
        headers: { "Content-Type": "application/json" },
        body: JSON.stringify({ old: old, now: now }),
        credentials: "omit",
      });
      if (answer.ok) return keep(now);
      why = "The server answered " + answer.status + ".";
      if (final(answer.status)) return lost(why);
    } catch (err) {
      why = err.message; // no network, or no permission any more
    }
    if (tries === pauses.length) return lost(why);
    await new Promise((done) => setTimeout(done, pauses[tries]));
  }
};

// lost tells the person: a browser that silently gets no pages is worse than none.
const lost = (why) =>
  self.registration.showNotification("This browser gets no pages of Midwatch any more", {
    body: "It was given another address for them, and Midwatch could not be told. Open a new link: midwatch push-link. " + why,
    tag: "midwatch-subscription",
    requireInteraction: true,
  });

self.addEventListener("pushsubscriptionchange", (e) => {
  // Not every browser says what was and what is.
  const old = e.oldSubscription ? Promise.resolve(e.oldSubscription.toJSON()) : kept();
  e.waitUntil(old.then((known) => (known ? renew(e.newSubscription, known) : lost("What it had before is not known."))));
});

// web keeps to addresses that a page may lead to.
const web = (url) => (/^https?:\/\//.test(url || "") ? url : self.registration.scope);

const acknowledge = async (page) => {
  try {
    const answer = await fetch(page.ack_url, { method: "POST", redirect: "follow", credentials: "omit" });
    if (answer.ok) return;
  } catch (err) {
    // no network, or another origin than this one
  }
  // The link's own page says what is the case, and has the button again.
  const title = "Not acknowledged: " + page.title;
  await self.registration.showNotification(title, {
    body: "It could not be said to Midwatch. Tap to open the page and press the button there.",
    tag: page.tag,
    data: Object.assign({}, page, { retry: true }),
    requireInteraction: true,
  });
};

self.addEventListener("notificationclick", (e) => {
  const page = e.notification.data || {};
  e.notification.close();
  if (e.action === "acknowledge" && page.ack_url) {
    e.waitUntil(acknowledge(page));
    return;
  }
  const to = e.action === "open" ? page.incident_url : page.ack_url || page.incident_url;
  e.waitUntil(self.clients.openWindow(web(to)));
});

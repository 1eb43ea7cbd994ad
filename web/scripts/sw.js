"use strict";
// The service worker: shows pages as notifications, and acknowledges from them. It holds nothing and caches nothing.

// Events after which nobody need answer any more.
const over = (event) => event === "resolved" || event === "stand_down";

self.addEventListener("install", () => self.skipWaiting());
self.addEventListener("activate", (e) => e.waitUntil(self.clients.claim()));

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

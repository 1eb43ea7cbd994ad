"use strict";
// The page /push/<token>: subscribes this browser to a person's pages, and takes that back. Every address is relative to the
// page's own, so that it works below any route prefix.
(() => {
  const main = document.querySelector("main");
  const said = document.getElementById("said");
  const get = document.getElementById("get");
  const test = document.getElementById("test");
  const stop = document.getElementById("stop");

  const say = (text) => {
    const p = document.createElement("p");
    p.textContent = text;
    said.className = "note";
    said.replaceChildren(p);
  };

  const bytes = (text) => {
    const plain = atob(text.replace(/-/g, "+").replace(/_/g, "/"));
    return Uint8Array.from(plain, (c) => c.charCodeAt(0));
  };

  const same = (a, b) => a.length === b.length && a.every((x, i) => x === b[i]);

  // ask sends a request below this page and returns what the server says. It throws what the server has against it.
  const ask = async (method, path, body) => {
    const answer = await fetch(location.pathname + path, {
      method: method,
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(body || {}),
      credentials: "same-origin",
    });
    let text = "The server answered " + answer.status + ".";
    try {
      text = (await answer.json()).message || text;
    } catch (e) {
      // an answer of somebody in between is no JSON
    }
    if (!answer.ok) throw new Error(text);
    return text;
  };

  // The worker needs what Midwatch knows, to tell it some day that the browser has another; the name is in sw.js too.
  const shelf = "midwatch-subscription";

  const keep = async (subscription) => {
    const cache = await caches.open(shelf);
    if (!subscription) return cache.delete("../subscription");
    return cache.put("../subscription", new Response(JSON.stringify(subscription)));
  };

  const worker = async () => {
    await navigator.serviceWorker.register("../sw.js", { updateViaCache: "none" });
    return navigator.serviceWorker.ready;
  };

  const show = (subscribed) => {
    get.disabled = false;
    test.disabled = !subscribed;
    stop.disabled = !subscribed;
  };

  // busy runs one thing at a time and shows what came of it.
  const busy = (work) => async () => {
    get.disabled = test.disabled = stop.disabled = true;
    try {
      await work();
    } catch (e) {
      say(e.message);
    }
    let subscription = null;
    try {
      subscription = await (await worker()).pushManager.getSubscription();
    } catch (e) {
      say(e.message);
    }
    show(subscription !== null);
  };

  const subscribe = async () => {
    // Asked for first, while the browser still takes it for an answer to the button.
    if ((await Notification.requestPermission()) !== "granted") {
      throw new Error("The browser does not let this site show notifications. Allow them in the site's settings, and press the button again.");
    }
    const manager = (await worker()).pushManager;
    const key = bytes(main.dataset.key);
    let subscription = await manager.getSubscription();
    if (subscription && subscription.options.applicationServerKey && !same(new Uint8Array(subscription.options.applicationServerKey), key)) {
      await subscription.unsubscribe(); // it is for a key that the server has no more
      subscription = null;
    }
    if (!subscription) {
      subscription = await manager.subscribe({ userVisibleOnly: true, applicationServerKey: key });
    }
    const told = await ask("POST", "", subscription.toJSON());
    await keep(subscription.toJSON()).catch(() => {}); // without storage the browser itself must say what it had
    say(told);
  };

  const unsubscribe = async () => {
    const subscription = await (await worker()).pushManager.getSubscription();
    if (!subscription) return;
    say(await ask("DELETE", "", { endpoint: subscription.endpoint }));
    await keep(null).catch(() => {});
    await subscription.unsubscribe();
  };

  if (!window.isSecureContext) {
    say("Browsers take pages over https alone. Open Midwatch by https, with --web.external-url to match.");
    return;
  }
  if (!("serviceWorker" in navigator) || !("PushManager" in window) || !("Notification" in window)) {
    say("This browser takes no pages as it is. On an iPhone or iPad add this page to the Home Screen and open it from there; a private window takes none.");
    return;
  }
  get.addEventListener("click", busy(subscribe));
  stop.addEventListener("click", busy(unsubscribe));
  test.addEventListener("click", busy(async () => say(await ask("POST", "/test"))));
  busy(async () => {})();
})();

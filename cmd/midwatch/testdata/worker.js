"use strict";
// Runs the service worker without a browser, for push_worker_test.go: node worker.js SCOPE EVENT. What a browser would give the worker is
// made here; what it asks of Midwatch is asked of a real one. Prints what happened as JSON.
const fs = require("fs");
const [scope, text] = process.argv.slice(2);
const event = JSON.parse(text);
const handlers = {}, shown = [], made = [];
const stored = new Map(event.kept ? [["subscription", JSON.stringify(event.kept)]] : []);
const subscription = (json) => (json ? { endpoint: json.endpoint, toJSON: () => json } : null);
const caches = {
  open: async () => ({
    match: async (name) => (stored.has(name) ? { json: async () => JSON.parse(stored.get(name)) } : undefined),
    put: async (name, response) => stored.set(name, await response.text()),
  }),
};
const soon = (f) => setImmediate(f); // nobody waits here
const self = {
  addEventListener: (name, f) => (handlers[name] = f),
  registration: {
    scope: scope,
    showNotification: async (title, options) => shown.push(title + ": " + options.body),
    pushManager: {
      getSubscription: async () => subscription(event.have),
      subscribe: async (options) => {
        made.push(Buffer.from(options.applicationServerKey).toString("base64url"));
        return subscription(event.makes);
      },
    },
  },
};
new Function("self", "caches", "setTimeout", fs.readFileSync(0, "utf8"))(self, caches, soon);
let work = null;
handlers["pushsubscriptionchange"]({
  oldSubscription: subscription(event.old), newSubscription: subscription(event.now), waitUntil: (p) => (work = p),
});
work.then(() => console.log(JSON.stringify({ shown: shown, made: made, kept: stored.get("subscription") || "" })));

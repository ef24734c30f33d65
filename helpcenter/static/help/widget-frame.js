/* Inside the frame. Talks to the site that embeds it, by its exact address, about size, closing and where it is;
   what is asked and answered is never sent. */
(() => {
  "use strict";
  const body = document.body;
  const host = body.dataset.widgetOrigin;
  if (!host) return;
  const isFramed = window.parent !== window;
  const tell = (type, values = {}) => {
    if (isFramed) window.parent.postMessage({ source: "helpcenter", type, ...values }, host);
  };

  // A conversation outlives the page of the site that embeds it, in this tab. Browsers refuse framed pages a storage
  // of their own, so the embedding site keeps the address; it could read what it shows anyway.
  if ("widgetStart" in body.dataset) tell("place", { path: "" });
  if (/^\/w\/[^/]+\/(de|en)\/conversations\//.test(location.pathname)) tell("place", { path: location.pathname });

  const close = document.querySelector("[data-widget-close]");
  if (close && isFramed) {
    close.hidden = false;
    close.addEventListener("click", () => tell("close"));
  }
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && !event.defaultPrevented) tell("close");
  });

  // Articles open beside the site, not inside the frame.
  const base = location.pathname.match(/^\/w\/[^/]+/)?.[0] ?? "";
  const inside = /^\/(de|en)\/(widget|ask|conversations|answers|contact|tickets)\//;
  document.addEventListener("click", (event) => {
    const link = event.target.closest?.("a[href]");
    if (!link || !/^https?:$/.test(link.protocol)) return;
    const url = new URL(link.href);
    const isOurs = url.origin === location.origin;
    const path = isOurs && base && url.pathname.startsWith(base + "/") ? url.pathname.slice(base.length) : url.pathname;
    if (isOurs && (inside.test(path) || (url.pathname === location.pathname && url.hash))) return;
    link.href = (isOurs ? path : url.origin + url.pathname) + url.search + url.hash;
    link.target = "_blank";
    link.rel = "noopener";
  }, true);

  const focusable = () => [...document.querySelectorAll("a[href], button, input, textarea, select, summary")]
    .filter((one) => !one.disabled && one.type !== "hidden" && one.tabIndex >= 0 && one.offsetParent !== null);
  window.addEventListener("message", (event) => {
    if (event.origin !== host || event.source !== window.parent || event.data?.source !== "helpcenter") return;
    if (event.data.type === "first") {
      const start = "widgetStart" in body.dataset && document.querySelector("[data-enter]");
      (start || document.getElementById("main")).focus({ preventScroll: !start });
    }
    if (event.data.type === "top") focusable()[0]?.focus();
    if (event.data.type === "last") focusable().at(-1)?.focus();
  });

  const size = () => tell("size", { height: Math.ceil(body.scrollHeight) });
  new ResizeObserver(size).observe(body);
  tell("ready", { title: document.title });
})();

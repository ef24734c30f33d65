/* Help center widget, contract v1. One tag:
   <script src="https://help.example/widget/v1.js" data-language="de" data-accent="#0b6157" async></script>
   data-language de|en · data-theme auto|light|dark · data-position right|left · data-accent #rrggbb · data-label text
   CSS: --helpcenter-accent, --helpcenter-offset, --helpcenter-radius, --helpcenter-layer. Anything with
   data-helpcenter-open opens it; window.helpcenter.open() and close() do. */
(() => {
  "use strict";
  const tag = document.currentScript;
  if (!tag || window.helpcenter) return;
  const help = new URL(tag.src).origin;
  const data = tag.dataset;
  const one = (value, allowed) => (allowed.includes(value) ? value : allowed[0]);
  const colour = (value) => (/^#[0-9a-f]{6}$/i.test(value || "") ? value.toLowerCase() : "");
  const page = (document.documentElement.lang || navigator.language || "").slice(0, 2).toLowerCase();
  const language = one(data.language || page, ["en", "de"]);
  const theme = one(data.theme, ["auto", "light", "dark"]);
  const side = one(data.position, ["right", "left"]);
  const words = {
    en: { label: "Help", open: "Open help", close: "Close help", panel: "Help", loading: "Help is loading …", link: "Open the help center in a new tab" },
    de: { label: "Hilfe", open: "Hilfe öffnen", close: "Hilfe schließen", panel: "Hilfe", loading: "Die Hilfe wird geladen …", link: "Hilfe-Center in neuem Tab öffnen" },
  }[language];

  function start() {
    const root = document.createElement("div");
    root.id = "helpcenter-widget";
    const shadow = root.attachShadow({ mode: "open" });
    document.body.append(root);
    const accent = colour(data.accent) || colour(getComputedStyle(root).getPropertyValue("--helpcenter-accent").trim());
    const ground = accent || "#0b6157";

    const sheet = new CSSStyleSheet();
    sheet.replaceSync(`
      :host { all: initial; --ground: ${ground}; --on: ${readable(ground)}; --gap: var(--helpcenter-offset, 20px); --round: var(--helpcenter-radius, 16px); color-scheme: ${theme === "auto" ? "light dark" : theme}; }
      * { box-sizing: border-box; }
      button { position: fixed; bottom: calc(var(--gap) + env(safe-area-inset-bottom)); ${side}: var(--gap); z-index: var(--helpcenter-layer, 2147483000);
        display: inline-flex; align-items: center; gap: 8px; min-height: 52px; padding: 0 20px 0 16px; border: 0; border-radius: 99px; cursor: pointer;
        background: var(--ground); color: var(--on); font: 600 16px/1 system-ui, sans-serif; box-shadow: 0 2px 6px rgb(0 0 0 / 20%), 0 8px 24px rgb(0 0 0 / 18%); }
      button:focus-visible { outline: 3px solid var(--on); outline-offset: -6px; box-shadow: 0 0 0 3px var(--ground), 0 8px 24px rgb(0 0 0 / 18%); }
      svg { width: 22px; height: 22px; fill: none; stroke: currentColor; stroke-width: 2; stroke-linecap: round; stroke-linejoin: round; }
      .panel { position: fixed; bottom: calc(var(--gap) + 64px + env(safe-area-inset-bottom)); ${side}: var(--gap); z-index: var(--helpcenter-layer, 2147483000);
        width: min(420px, calc(100vw - 2 * var(--gap))); height: min(var(--wanted, 560px), calc(100vh - 2 * var(--gap) - 64px));
        background: Canvas; color: CanvasText; border: 1px solid color-mix(in srgb, CanvasText 16%, transparent); border-radius: var(--round); overflow: hidden; box-shadow: 0 4px 12px rgb(0 0 0 / 16%), 0 16px 48px rgb(0 0 0 / 24%); }
      [hidden] { display: none !important; }
      iframe { display: block; width: 100%; height: 100%; border: 0; color-scheme: ${theme === "auto" ? "light dark" : theme}; }
      p { position: absolute; inset: 0; display: grid; place-content: center; gap: 12px; margin: 0; padding: 24px; text-align: center; font: 16px/1.5 system-ui, sans-serif; }
      p a { color: inherit; }
      iframe.is-here + p { display: none; }
      @media (max-width: 600px), (max-height: 480px) {
        .panel { inset: 0; width: 100%; height: 100%; height: 100dvh; border: 0; border-radius: 0; }
        .is-open { visibility: hidden; }
      }
      @media (prefers-reduced-motion: no-preference) {
        .panel { animation: rise 160ms ease-out; }
        @keyframes rise { from { opacity: 0; transform: translateY(12px); } }
      }
      @media print { button, .panel { display: none; } }`);
    shadow.adoptedStyleSheets = [sheet];

    const make = (name, attributes = {}) => Object.assign(document.createElement(name), attributes);
    const button = make("button", { type: "button" });
    button.setAttribute("aria-expanded", "false");
    button.setAttribute("aria-haspopup", "dialog");
    button.setAttribute("aria-controls", "panel");
    button.innerHTML = '<svg viewBox="0 0 24 24" aria-hidden="true"><path d="M21 12a8.5 8.5 0 0 1-12.6 7.4L4 21l1.4-4.2A8.5 8.5 0 1 1 21 12Z"/><path d="M9.6 9.4a2.5 2.5 0 1 1 3.6 2.3c-.8.4-1.2.9-1.2 1.8"/><path d="M12 16.6v.01"/></svg>';
    const label = make("span", { textContent: (data.label || words.label).slice(0, 40) });
    button.append(label);
    const panel = make("div", { className: "panel", id: "panel", hidden: true });
    panel.setAttribute("role", "dialog");
    panel.setAttribute("aria-modal", "true");
    panel.setAttribute("aria-label", words.panel);
    const guards = ["last", "top"].map((to) => {
      const guard = make("div", { tabIndex: 0 });
      guard.setAttribute("aria-hidden", "true");
      guard.addEventListener("focus", () => { frame.focus(); tell(to); });
      return guard;
    });
    panel.append(...guards);
    shadow.append(panel, button);

    let frame = null;
    let overflow = "";
    let opener = button;
    let isHere = false;
    const tell = (type) => { if (isHere) frame.contentWindow.postMessage({ source: "helpcenter", type }, help); };
    const query = new URLSearchParams({ host: location.origin, ...(accent && { accent: accent.slice(1) }) });
    const plain = `${help}/${language}/`;

    const KEY = `helpcenter ${help}`;
    const isPlace = (path) => new RegExp(`^/w/[\\w.:-]+/${language}/conversations/[0-9a-f-]{36}/$`).test(path);
    function place() {
      try { return [sessionStorage.getItem(KEY)].find(isPlace) || ""; } catch { return ""; }
    }
    function keep(path) {
      try { isPlace(path) ? sessionStorage.setItem(KEY, path) : sessionStorage.removeItem(KEY); } catch { /* not kept, then */ }
    }
    function load() {
      frame = make("iframe", { title: words.panel, src: help + (place() || `/${language}/widget/?${query}`), allow: "clipboard-write" });
      const waiting = make("p");
      waiting.append(make("span", { textContent: words.loading }), make("a", { href: plain, target: "_blank", rel: "noopener", textContent: words.link }));
      guards[0].after(frame, waiting);
    }
    function open(from) {
      if (!panel.hidden) return;
      opener = from instanceof Element ? from : button;
      if (!frame) load();
      panel.hidden = false;
      button.setAttribute("aria-expanded", "true");
      button.classList.add("is-open");
      label.textContent = words.close;
      if (matchMedia("(max-width: 600px), (max-height: 480px)").matches) {
        overflow = document.documentElement.style.overflow;
        document.documentElement.style.overflow = "hidden";
      }
      frame.focus();
      tell("first");
    }
    function close() {
      if (panel.hidden) return;
      panel.hidden = true;
      button.setAttribute("aria-expanded", "false");
      button.classList.remove("is-open");
      label.textContent = (data.label || words.label).slice(0, 40);
      document.documentElement.style.overflow = overflow;
      (opener.isConnected ? opener : button).focus();
    }

    button.addEventListener("click", () => (panel.hidden ? open(button) : close()));
    shadow.addEventListener("keydown", (event) => { if (event.key === "Escape") close(); });
    document.addEventListener("click", (event) => {
      const link = event.target.closest?.("[data-helpcenter-open]");
      if (!link) return;
      event.preventDefault(); // without this script it leads to the help center
      open(link);
    });
    window.addEventListener("message", (event) => {
      if (event.origin !== help || !frame || event.source !== frame.contentWindow || event.data?.source !== "helpcenter") return;
      if (event.data.type === "ready" && !isHere) {
        isHere = true;
        frame.classList.add("is-here");
        if (!panel.hidden) tell("first");
      }
      if (event.data.type === "close") close();
      if (event.data.type === "place") keep(event.data.path);
      if (event.data.type === "size" && Number.isFinite(event.data.height)) {
        panel.style.setProperty("--wanted", `${Math.min(Math.max(event.data.height, 320), 680)}px`);
      }
    });
    window.helpcenter = { open: () => open(document.activeElement), close };
  }

  function readable(hex) {
    const [r, g, b] = [1, 3, 5].map((at) => {
      const part = parseInt(hex.slice(at, at + 2), 16) / 255;
      return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b > 0.179 ? "#000000" : "#ffffff"; // WCAG: the better contrast
  }

  if (document.body) start();
  else document.addEventListener("DOMContentLoaded", start);
})();

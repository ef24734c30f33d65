/* Conveniences only: every page works without this file. */
(() => {
  "use strict";

  // A form that takes a moment says so, and cannot be sent twice by impatience.
  const saysItIsBusy = (form) => {
    form.addEventListener("submit", (event) => {
      const button = event.submitter || form.querySelector("button:not([type=button])");
      const label = button && (button.querySelector("span") || button);
      if (!button) return;
      // After the browser has read the form: a disabled button would not be sent with it.
      setTimeout(() => {
        for (const one of form.querySelectorAll("button")) one.disabled = true;
        form.setAttribute("aria-busy", "true");
        if (button.dataset.busyText) {
          button.dataset.restText = label.textContent;
          label.textContent = button.dataset.busyText;
        }
      }, 0);
    });
  };
  // The browser's back button shows the page as it was left: make it usable again.
  window.addEventListener("pageshow", (event) => {
    if (!event.persisted) return;
    for (const form of document.querySelectorAll("form[aria-busy]")) {
      form.removeAttribute("aria-busy");
      for (const button of form.querySelectorAll("button")) {
        button.disabled = false;
        if (button.dataset.restText) (button.querySelector("span") || button).textContent = button.dataset.restText;
      }
    }
  });

  /* Articles while somebody types: a combobox as the ARIA Authoring Practices describe it ("list autocomplete with
     manual selection"). Nothing is chosen until an arrow key or a pointer chooses it, so Enter still sends what was
     typed. A field of several lines is a textbox to ARIA; it gets what a textbox may have. */
  const SHORTEST = 2;
  const PAUSE_MS = 120;

  // As a click on a link: inside the widget it opens beside the site (widget-frame.js).
  const follow = (url) => {
    const link = document.createElement("a");
    link.href = url;
    document.body.append(link);
    link.click();
    link.remove();
  };

  const suggestTo = (field, number) => {
    const anchor = field.closest(".suggest-anchor");
    const list = document.createElement("ul");
    const status = document.createElement("p");
    const known = new Map();
    let waiting = 0;
    let request = null;
    let active = -1;

    list.id = `suggestions-${number}`;
    list.className = "suggestions";
    list.hidden = true;
    list.setAttribute("role", "listbox");
    list.setAttribute("aria-label", field.dataset.suggestLabel);
    status.className = "visually-hidden";
    status.setAttribute("role", "status");
    anchor.append(list, status);
    field.setAttribute("aria-autocomplete", "list");
    field.setAttribute("aria-controls", list.id);
    const isCombobox = field.tagName === "INPUT";
    if (isCombobox) {
      field.setAttribute("role", "combobox");
      field.setAttribute("aria-expanded", "false");
    }

    const options = () => [...list.querySelectorAll("[role=option]")];
    const activate = (index) => {
      const all = options();
      active = all.length ? (index + all.length + 1) % (all.length + 1) : -1;
      if (active === all.length) active = -1;
      for (const [place, option] of all.entries()) option.setAttribute("aria-selected", String(place === active));
      if (active < 0) field.removeAttribute("aria-activedescendant");
      else {
        field.setAttribute("aria-activedescendant", all[active].id);
        all[active].scrollIntoView({ block: "nearest" });
      }
    };
    const close = () => {
      clearTimeout(waiting);
      if (request) request.abort();
      list.hidden = true;
      active = -1;
      field.removeAttribute("aria-activedescendant");
      if (isCombobox) field.setAttribute("aria-expanded", "false");
    };
    const marked = (parent, pairs) => {
      for (const [text, isMatch] of pairs) {
        if (!isMatch) parent.append(text);
        else parent.append(Object.assign(document.createElement("mark"), { textContent: text }));
      }
    };
    const show = (found) => {
      list.replaceChildren();
      for (const [place, one] of found.entries()) {
        const option = document.createElement("li");
        option.id = `${list.id}-${place}`;
        option.dataset.url = one.url;
        option.setAttribute("role", "option");
        option.setAttribute("aria-selected", "false");
        marked(option, one.title);
        if (one.heading.length || one.category) {
          const where = document.createElement("small");
          if (one.heading.length) {
            where.append("› ");
            marked(where, one.heading);
          } else where.append(one.category);
          option.append(where);
        }
        list.append(option);
      }
      if (found.length && field.dataset.suggestHint) {
        const hint = document.createElement("li");
        hint.className = "suggestions-hint";
        hint.setAttribute("role", "presentation");
        hint.textContent = field.dataset.suggestHint;
        list.append(hint);
      }
      active = -1;
      field.removeAttribute("aria-activedescendant");
      // On a phone the keyboard takes half of the screen: the field moves to the top, so that the list has the rest.
      if (list.hidden && found.length && innerWidth < 640) anchor.scrollIntoView({ block: "start" });
      list.hidden = !found.length;
      if (isCombobox) field.setAttribute("aria-expanded", String(found.length > 0));
      const words = { 0: field.dataset.suggestNone, 1: field.dataset.suggestOne };
      status.textContent = words[found.length] || field.dataset.suggestMany.replace("#", String(found.length));
    };
    const ask = async () => {
      const typed = field.value.trim().slice(0, 200);
      if ([...typed].length < SHORTEST) {
        status.textContent = "";
        close();
        return;
      }
      if (known.has(typed)) {
        show(known.get(typed));
        return;
      }
      if (request) request.abort();
      request = new AbortController();
      try {
        const answer = await fetch(`${field.dataset.suggest}?q=${encodeURIComponent(typed)}`, {
          headers: { Accept: "application/json" },
          signal: request.signal,
        });
        if (!answer.ok) return; // too many of them, or an outage: typing goes on without
        const found = (await answer.json()).suggestions;
        known.set(typed, found);
        if (field.value.trim().slice(0, 200) === typed && document.activeElement === field) show(found);
      } catch {
        // Aborted by the next letter, or no network: typing goes on without.
      }
    };

    field.addEventListener("input", (event) => {
      clearTimeout(waiting);
      if (event.isComposing) return;
      waiting = setTimeout(ask, PAUSE_MS);
    });
    field.addEventListener("keydown", (event) => {
      if (event.isComposing) return;
      if (event.key === "Escape" && !list.hidden) {
        event.preventDefault();
        close();
      } else if (event.key === "ArrowDown" && list.hidden && event.altKey) {
        event.preventDefault();
        ask();
      } else if ((event.key === "ArrowDown" || event.key === "ArrowUp") && !list.hidden && !event.altKey) {
        event.preventDefault();
        activate(event.key === "ArrowDown" ? active + 1 : active < 0 ? options().length - 1 : active - 1);
      } else if (event.key === "Enter" && active >= 0 && !list.hidden) {
        event.preventDefault();
        event.stopImmediatePropagation();
        follow(options()[active].dataset.url);
      } else if (event.key === "Tab") close();
    });
    field.form.addEventListener("submit", close);
    // An option holds no link: ARIA allows it none. A click with a key held opens a tab, as a link would.
    list.addEventListener("pointerdown", (event) => event.preventDefault());
    list.addEventListener("click", (event) => {
      const option = event.target.closest("[role=option]");
      if (!option) return;
      if (event.ctrlKey || event.metaKey || event.shiftKey) window.open(option.dataset.url, "_blank", "noopener");
      else follow(option.dataset.url);
    });
    field.addEventListener("blur", () => setTimeout(close, 100));
  };
  for (const [number, field] of [...document.querySelectorAll("[data-suggest]")].entries()) suggestTo(field, number);

  // Beside the text there is room for the table of contents; screen readers are told that it is open.
  if (matchMedia("(min-width: 62rem)").matches) {
    for (const one of document.querySelectorAll(".toc details")) one.open = true;
  }

  // The section that is being read is named in the table of contents.
  const contents = new Map();
  for (const link of document.querySelectorAll(".toc a")) {
    const heading = document.getElementById(decodeURIComponent(link.hash.slice(1)));
    if (heading) contents.set(heading, link);
  }
  if (contents.size) {
    const follow = () => {
      let read = null;
      for (const heading of contents.keys()) if (heading.getBoundingClientRect().top < innerHeight * 0.3) read = heading;
      for (const [heading, link] of contents) {
        if (heading === read) link.setAttribute("aria-current", "true");
        else link.removeAttribute("aria-current");
      }
    };
    document.addEventListener("scroll", follow, { passive: true });
  }

  // Enter sends a question, Shift+Enter begins a new line; while an input method composes, Enter is its own.
  const sendsByEnter = (field) => {
    field.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
      event.preventDefault();
      field.form.requestSubmit(field.form.querySelector("button[value=ask]") || undefined);
    });
  };

  // Characters are counted as the server counts them, and shown only near the limit.
  const countsItsText = (field) => {
    const counter = field.parentElement.querySelector("[data-counter]");
    if (!counter) return;
    const limit = Number(field.dataset.count);
    const update = () => {
      const length = [...field.value.trim()].length;
      counter.querySelector("[data-counted]").textContent = String(length);
      counter.hidden = length < limit * 0.8;
      counter.classList.toggle("count-over", length > limit);
    };
    field.addEventListener("input", update);
    update();
  };

  // Before a telephone sends a film for minutes, to be told that it is too large.
  const weighsItsFiles = (field) => {
    field.addEventListener("change", () => {
      const sizes = [...field.files].map((file) => file.size / 1024 / 1024);
      const isTooMuch = sizes.some((size) => size > 10) || sizes.reduce((sum, size) => sum + size, 0) > Number(field.dataset.most);
      field.setCustomValidity(isTooMuch ? field.dataset.tooLarge : "");
      if (isTooMuch) field.reportValidity();
    });
  };

  const prepare = (part) => {
    for (const form of part.querySelectorAll("form[data-busy]")) saysItIsBusy(form);
    for (const field of part.querySelectorAll("textarea[data-enter]")) sendsByEnter(field);
    for (const field of part.querySelectorAll("textarea[data-count]")) countsItsText(field);
    for (const field of part.querySelectorAll("input[data-most]")) weighsItsFiles(field);
  };
  prepare(document);
  // answer.js puts an answer into the page that has waited for it.
  document.addEventListener("helpcenter:content", (event) => prepare(event.detail));

  const summary = document.querySelector(".error-summary");
  if (summary) summary.focus();
})();

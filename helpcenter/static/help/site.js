/* Conveniences only: every page works without this file. */
(() => {
  "use strict";

  // A form that takes a moment says so, and cannot be sent twice by impatience.
  for (const form of document.querySelectorAll("form[data-busy]")) {
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
  }
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

  // Enter sends a question, Shift+Enter begins a new line; while an input method composes, Enter is its own.
  for (const field of document.querySelectorAll("textarea[data-enter]")) {
    field.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
      event.preventDefault();
      field.form.requestSubmit(field.form.querySelector("button[value=ask]") || undefined);
    });
  }

  // Characters are counted as the server counts them, and shown only near the limit.
  for (const field of document.querySelectorAll("textarea[data-count]")) {
    const counter = field.parentElement.querySelector("[data-counter]");
    if (!counter) continue;
    const limit = Number(field.dataset.count);
    const update = () => {
      const length = [...field.value.trim()].length;
      counter.querySelector("[data-counted]").textContent = String(length);
      counter.hidden = length < limit * 0.8;
      counter.classList.toggle("count-over", length > limit);
    };
    field.addEventListener("input", update);
    update();
  }

  if (navigator.clipboard) {
    for (const button of document.querySelectorAll("[data-copy-link]")) {
      button.hidden = false;
      button.addEventListener("click", async () => {
        await navigator.clipboard.writeText(location.origin + location.pathname);
        (button.querySelector("span") || button).textContent = button.dataset.copied;
      });
    }
  }

  const summary = document.querySelector(".error-summary");
  if (summary) summary.focus();
})();

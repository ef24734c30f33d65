/* Follows a question while it is decided, and copies answers. Conveniences only: every page works without this file,
   which may be named more than once on a page and runs once. */
(() => {
  "use strict";
  if (document.documentElement.dataset.answers) return;
  document.documentElement.dataset.answers = "1";

  const POLL_MS = 3000;
  const POLLS = 60; // then the page says no more by itself; a reload does

  // A form tells the server that this page can wait for its answer.
  if (window.EventSource) {
    for (const field of document.querySelectorAll("input[name=progressive]")) field.value = "1";
  }

  const working = document.querySelector("[data-working]");
  if (working && window.EventSource) follow(working);

  document.addEventListener("click", async (event) => {
    const button = event.target.closest("[data-copy], [data-copy-address]");
    if (!button || !navigator.clipboard) return;
    event.preventDefault();
    await navigator.clipboard.writeText(button.dataset.copy ?? button.href);
    const label = button.querySelector("span");
    const before = label.textContent;
    label.textContent = button.dataset.copied;
    announce(button.dataset.copied);
    setTimeout(() => { label.textContent = before; }, 4000);
  });
  offerCopies(document);

  function follow(card) {
    const finish = card.querySelector("[data-finish]");
    finish.hidden = true;
    const source = new EventSource(card.dataset.events);
    let failures = 0;
    source.addEventListener("stage", (event) => { failures = 0; show(card, JSON.parse(event.data).stage); });
    source.addEventListener("waiting", () => { failures = 0; });
    source.addEventListener("settled", (event) => {
      source.close();
      settle(JSON.parse(event.data).html);
    });
    source.addEventListener("slow", () => {
      source.close();
      isSlow(card);
    });
    source.addEventListener("error", () => {
      failures += 1;
      // The browser comes again by itself after a short pause, unless it was refused for good.
      if (source.readyState === EventSource.CLOSED || failures > 5) {
        source.close();
        isSlow(card);
      }
    });
    window.addEventListener("pagehide", () => source.close());
  }

  function show(card, stage) {
    const steps = [...card.querySelectorAll("[data-stage]")];
    const now = steps.findIndex((step) => step.dataset.stage === stage);
    if (now < 0) return;
    steps.forEach((step, position) => {
      step.classList.toggle("is-done", position < now);
      step.classList.toggle("is-now", position === now);
      if (position === now) step.setAttribute("aria-current", "step");
      else step.removeAttribute("aria-current");
    });
    card.querySelector("[data-stage-now]").textContent = steps[now].textContent;
  }

  function settle(html) {
    const slot = document.querySelector("[data-outcome]");
    slot.innerHTML = html; // from this server, rendered as it renders its pages
    for (const field of slot.querySelectorAll("input[name=progressive]")) field.value = "1";
    offerCopies(slot);
    const ready = document.querySelector("[data-announce]");
    if (ready) announce(ready.dataset.ready);
    document.dispatchEvent(new CustomEvent("helpcenter:content", { detail: slot }));
  }

  function isSlow(card) {
    card.querySelector("[data-slow]").hidden = false;
    card.querySelector("[data-finish]").hidden = false;
    let polls = 0;
    const timer = setInterval(async () => {
      polls += 1;
      if (polls > POLLS) return clearInterval(timer);
      try {
        const response = await fetch(card.dataset.state, { headers: { Accept: "application/json" } });
        if (!response.ok) return;
        const found = await response.json();
        if (found.is_settled) location.reload();
        else show(card, found.stage);
      } catch { /* offline for a moment: the next look may find it */ }
    }, POLL_MS);
  }

  function offerCopies(part) {
    if (!navigator.clipboard) return;
    for (const button of part.querySelectorAll("[data-copy]")) button.hidden = false;
  }

  function announce(text) {
    const status = document.querySelector("[data-announce]");
    if (status) status.textContent = text;
  }
})();

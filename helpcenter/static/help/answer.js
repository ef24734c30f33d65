/* Follows a question while it is decided, and copies answers. Conveniences only: every page works without this file,
   which may be named more than once on a page and runs once. */
(() => {
  "use strict";
  if (document.documentElement.dataset.answers) return;
  document.documentElement.dataset.answers = "1";

  const POLL_MS = 3000;
  const POLLS = 60; // then the page says no more by itself; a reload does
  const everTold = new Set(); // sentences of the answer that were shown while it was written

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
    source.addEventListener("open", () => clear(card)); // a stream tells everything from the beginning
    source.addEventListener("cleared", () => clear(card));
    source.addEventListener("sentence", (event) => { failures = 0; tell(card, JSON.parse(event.data)); });
    source.addEventListener("settled", (event) => {
      source.close();
      settle(card, JSON.parse(event.data).html);
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

  // A sentence of the answer that is being written. It has been checked; its text is text, never markup.
  function tell(card, { text, number, title, url }) {
    const told = card.querySelector("[data-told]");
    const sentences = told.querySelector("[data-sentences]");
    everTold.add(text);
    let block = sentences.lastElementChild;
    if (block?.dataset.number === String(number)) {
      block.querySelector(".prose p").append(` ${text}`);
    } else {
      block = document.createElement("div");
      block.className = "block";
      block.dataset.number = number;
      block.innerHTML = '<div class="prose"><p></p></div><span class="marks"><a class="mark"></a></span>';
      block.querySelector(".prose p").textContent = text;
      const mark = block.querySelector(".mark");
      mark.textContent = number;
      mark.href = url;
      mark.lang = document.documentElement.lang;
      mark.setAttribute("aria-label", told.dataset.source.replace("{number}", number).replace("{title}", () => title));
      sentences.append(block);
    }
    if (told.hidden) isTelling(card, true);
  }

  function clear(card) {
    card.querySelector("[data-sentences]").replaceChildren();
    isTelling(card, false);
  }

  function isTelling(card, is) {
    const title = card.querySelector("[data-working-title]");
    title.dataset.title ??= title.textContent;
    title.textContent = is ? title.dataset.toldTitle : title.dataset.title;
    card.querySelector("[data-told]").hidden = !is;
    card.querySelector("[data-untold]").hidden = is;
    card.querySelector(".stages").hidden = is;
    card.setAttribute("aria-busy", String(!is)); // or nobody would hear the sentences
  }

  // Whether the answer holds all that was told of it, whatever its signs and lines.
  function isKept(slot) {
    const letters = (text) => text.replace(/[^\p{L}\p{N}]+/gu, "");
    const answer = letters(slot.querySelector(".answer .answer-text")?.textContent ?? "");
    return [...everTold].every((text) => answer.includes(letters(text)));
  }

  function settle(card, html) {
    const slot = document.querySelector("[data-outcome]");
    const note = card.querySelector("[data-told]").dataset.replaced;
    slot.innerHTML = html; // from this server, rendered as it renders its pages
    const replaced = isKept(slot) ? "" : note;
    slot.classList.toggle("was-told", everTold.size > 0 && !replaced); // it stands there already
    if (replaced) {
      const paragraph = document.createElement("p");
      paragraph.className = "notice notice-quote";
      paragraph.textContent = replaced;
      slot.prepend(paragraph);
    }
    for (const field of slot.querySelectorAll("input[name=progressive]")) field.value = "1";
    offerCopies(slot);
    const ready = document.querySelector("[data-announce]");
    if (ready) announce(replaced || ready.dataset.ready);
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

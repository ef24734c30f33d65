/* An open ticket: says that somebody is here and hears who else is, tells what is new without touching what is being
   typed, and counts down the seconds in which a reply can be taken back. The form works the same without it. */
document.addEventListener("DOMContentLoaded", function () {
  "use strict";

  var EVERY = 10000, AFTER_FAILURE = 30000;
  var FIELDS = ["status", "priority", "assignee", "category", "problem"];
  var live = document.getElementById("hc-live");
  if (!live) return;
  var form = live.closest("form");
  var token = form.querySelector("[name=csrfmiddlewaretoken]").value;
  var seen = form.querySelector("[name=seen]");
  var text = form.querySelector(".hc-reply textarea");
  var note = form.querySelector(".hc-reply input[type=checkbox]");
  var others = live.querySelector(".hc-others");
  var fresh = live.querySelector(".hc-fresh");
  var told = fresh.querySelector(".hc-news");
  var waiting = null; // what the server has told and the page does not show yet
  var timer = 0;

  function send(values) {
    var body = new URLSearchParams(Object.assign({ csrfmiddlewaretoken: token }, values));
    return fetch(live.dataset.pulse, { method: "POST", body: body, keepalive: !!values.leaving });
  }

  function look() {
    clearTimeout(timer);
    if (document.hidden) { timer = setTimeout(look, EVERY); return; }
    send({ seen: seen.value, writing: text && text.value.trim() ? "1" : "0" })
      .then(function (response) { return response.ok ? response.json() : Promise.reject(response.status); })
      .then(function (pulse) {
        list(others, pulse.others);
        others.hidden = !pulse.others.length;
        if (pulse.seen) {
          if (!waiting || waiting.seen !== pulse.seen) list(told, pulse.news);
          waiting = pulse;
          fresh.hidden = !pulse.news.length;
          if (!pulse.news.length) show(); // our own doing, from another window
        }
        timer = setTimeout(look, EVERY);
      })
      .catch(function () { timer = setTimeout(look, AFTER_FAILURE); });
  }

  function list(place, lines) {
    place.replaceChildren.apply(place, lines.map(function (line) {
      var item = document.createElement("li");
      item.textContent = line;
      return item;
    }));
  }

  function show() {
    if (!waiting) return;
    document.getElementById("hc-thread").innerHTML = waiting.thread;
    var before = seen.value.split("|");
    FIELDS.forEach(function (name, index) {
      var field = form.elements[name];
      // What somebody has chosen here and not saved stays chosen; the server asks where both have changed it.
      if (field && field.value === before[index]) field.value = waiting.values[name];
    });
    seen.value = waiting.seen;
    waiting = null;
    fresh.hidden = true;
    countDown();
  }

  fresh.querySelector("button").addEventListener("click", function () {
    show();
    var news = document.querySelector("#hc-thread .hc-new");
    if (news) news.scrollIntoView({ block: "center" });
  });
  document.addEventListener("visibilitychange", function () { if (!document.hidden) look(); });
  addEventListener("pagehide", function () { send({ leaving: "1" }); });
  timer = setTimeout(look, EVERY);
  if (text) {
    text.addEventListener("input", function once() {
      text.removeEventListener("input", once);
      look();
    });
    text.addEventListener("keydown", function (event) {
      if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey)) return;
      event.preventDefault();
      form.querySelector(".hc-send button").click();
    });
  }

  /* --- what can be put into the text --- */
  function insert(words) {
    var before = text.value.slice(0, text.selectionStart);
    var gap = before && !/\n\n$/.test(before) ? "\n\n" : "";
    text.focus();
    text.setRangeText(gap + words, text.selectionStart, text.selectionEnd, "end");
    text.dispatchEvent(new Event("input", { bubbles: true }));
  }

  function offer(place) {
    place.querySelectorAll("button[data-insert]").forEach(function (button) { button.hidden = false; });
  }

  document.addEventListener("click", function (event) {
    var inserting = event.target.closest("[data-insert]");
    var suggesting = event.target.closest("[data-suggest]");
    var summing = event.target.closest("[data-summary]");
    if (inserting && text) {
      event.preventDefault();
      insert(inserting.dataset.insert);
      var menu = inserting.closest("details.hc-canned");
      if (menu) menu.open = false;
    } else if (suggesting) {
      var place = document.getElementById("suggestion");
      event.preventDefault();
      fetch(suggesting.dataset.suggest)
        .then(function (response) { return response.ok ? response.text() : Promise.reject(response.status); })
        .then(function (html) {
          place.innerHTML = html;
          offer(place);
        })
        .catch(function () { location.href = suggesting.href; });
    } else if (summing && !summing.disabled) {
      var panel = document.getElementById("summary");
      event.preventDefault();
      summing.disabled = true;  // one call is paid for, not two
      panel.setAttribute("aria-busy", "true");
      fetch(summing.dataset.summary + "?panel=1", { method: "POST", headers: { "X-CSRFToken": token } })
        .then(function (response) { return response.ok ? response.text() : Promise.reject(response.status); })
        .then(function (html) { panel.outerHTML = html; })
        .catch(function () {
          summing.disabled = false;
          panel.removeAttribute("aria-busy");
        });
    }
  });
  offer(document);

  /* --- what the customer would get --- */
  var previewing = form.querySelector("[data-preview]");
  if (previewing) previewing.addEventListener("click", function (event) {
    var place = document.getElementById("preview");
    var values = new URLSearchParams({ csrfmiddlewaretoken: token, part: "1", "messages-0-body": text.value });
    if (note && note.checked) values.set("messages-0-is_internal", "on");
    var chosen = form.querySelector(".hc-reply input[type=file]");
    Array.prototype.forEach.call(chosen ? chosen.files : [], function (file) { values.append("file_name", file.name); });
    event.preventDefault();
    fetch(previewing.formAction, { method: "POST", body: values })
      .then(function (response) { return response.ok ? response.text() : Promise.reject(response.status); })
      .then(function (html) {
        place.innerHTML = html;
        place.scrollIntoView({ block: "nearest" });
      })
      .catch(function () { place.textContent = previewing.dataset.failed; });
  });

  /* --- a suggested category or priority: answered here, so that what is typed stays --- */
  document.addEventListener("click", function (event) {
    var button = event.target.closest("[data-route]");
    if (!button) return;
    event.preventDefault();
    fetch(button.formAction, {
      method: "POST",
      headers: { Accept: "application/json" },
      body: new URLSearchParams({ csrfmiddlewaretoken: token })
    })
      .then(function (response) { return response.ok ? response.json() : Promise.reject(response.status); })
      .then(function (answer) {
        document.getElementById("hc-routing").innerHTML = answer.html;
        var field = form.elements[answer.field], shown = seen.value.split("|");
        if (field) field.value = answer.value;
        shown[FIELDS.indexOf(answer.field)] = answer.value;
        seen.value = shown.join("|"); // it is our own doing, and no news
      })
      .catch(function () { button.removeAttribute("data-route"); button.click(); });
  });

  /* --- taking back --- */
  function countDown() {
    document.querySelectorAll("[data-undo]").forEach(function (button) {
      var left = Number(button.dataset.undo);
      var label = button.textContent;
      var clock = setInterval(function () {
        button.textContent = label + " (" + left + ")";
        if (left-- > 0) return;
        clearInterval(clock);
        button.remove();
      }, 1000);
    });
  }

  countDown();

  /* --- keys --- */
  function write(isNote) {
    return function () {
      if (!text) return false;
      if (note) note.checked = isNote;
      text.focus();
      text.scrollIntoView({ block: "center" });
      return true;
    };
  }

  window.hcShortcuts({
    r: write(false),
    n: write(true),
    a: function () {
      var field = form.elements.assignee;
      if (field) field.value = live.dataset.me;
      return !!field;
    },
    s: function () {
      var field = form.elements.status;
      if (field) field.focus();
      return !!field;
    },
    u: function () { location.href = live.dataset.queue; }
  });
});

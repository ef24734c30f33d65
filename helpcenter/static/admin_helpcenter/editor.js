/* The form of an article: preview and source beside the text, pictures, links, and what is typed is kept.

   Everything here is convenience. Without it the preview opens in a window of its own and the form saves as ever. */
document.addEventListener("DOMContentLoaded", function () {
  "use strict";

  var bar = document.getElementById("hc-editor");
  var body = document.getElementById("id_body");
  if (!bar || !body) return;
  var form = body.form;
  var said = bar.querySelector(".hc-saved");
  var token = form.querySelector("[name=csrfmiddlewaretoken]").value;
  var previewAt = bar.querySelector("[formaction]").getAttribute("formaction");

  function button(name) {
    var found = bar.querySelector("[data-" + name + "]");
    found.hidden = false;
    return found;
  }

  function insert(before, after) {
    var start = body.selectionStart, end = body.selectionEnd;
    var chosen = body.value.slice(start, end);
    body.focus();
    body.setRangeText(before + chosen + after, start, end, "end");
    body.dispatchEvent(new Event("input", { bubbles: true }));
  }

  /* --- preview beside the text: the page itself, in a frame that runs nothing --- */
  var live = button("live");
  var frame = null;
  var timer = 0;

  function refresh() {
    if (!frame) return;
    fetch(previewAt, { method: "POST", body: new FormData(form), headers: { "X-CSRFToken": token } })
      .then(function (response) { return response.ok ? response.text() : Promise.reject(response.status); })
      .then(function (html) {
        if (!frame) return;
        var place = frame.contentWindow ? frame.contentWindow.scrollY : 0;
        frame.onload = function () { frame.contentWindow.scrollTo(0, place); };
        frame.srcdoc = html;
      })
      .catch(function () { said.textContent = bar.dataset.failed; });
  }

  live.addEventListener("click", function () {
    var row = body.closest(".form-row");
    if (frame) {
      frame.remove();
      frame = null;
    } else {
      frame = document.createElement("iframe");
      frame.className = "hc-preview";
      frame.title = live.textContent.trim();
      frame.setAttribute("sandbox", "allow-same-origin");
      row.appendChild(frame);
      refresh();
    }
    row.classList.toggle("hc-side-by-side", !!frame || !!row.querySelector(".hc-source"));
    live.setAttribute("aria-pressed", String(!!frame));
  });

  /* --- the text that is translated, beside the translation --- */
  var source = document.getElementById("hc-source");
  if (source && bar.querySelector("[data-source]")) {
    var beside = button("source");
    var text = source.querySelector("[data-text]");
    var home = source.parentNode, next = source.nextSibling;
    beside.addEventListener("click", function () {
      var row = body.closest(".form-row");
      var shown = source.parentNode !== row;
      if (shown) row.appendChild(source);
      else home.insertBefore(source, next);
      text.open = shown;
      row.classList.toggle("hc-side-by-side", shown || !!frame);
      beside.setAttribute("aria-pressed", String(shown));
    });
  }

  /* --- pictures --- */
  var picker = document.createElement("input");
  picker.type = "file";
  picker.accept = "image/png,image/jpeg,image/gif,image/webp";
  picker.addEventListener("change", function () { if (picker.files[0]) upload(picker.files[0]); picker.value = ""; });
  button("picture").addEventListener("click", function () { picker.click(); });

  function upload(file) {
    var alt = window.prompt(bar.dataset.askAlt, "");
    if (alt === null) return;
    var data = new FormData();
    data.append("picture", file);
    fetch(bar.dataset.pictures, { method: "POST", body: data, headers: { "X-CSRFToken": token } })
      .then(function (response) { return response.json(); })
      .then(function (answer) {
        if (answer.error) {
          said.textContent = answer.error;
        } else {
          said.textContent = "";
          insert("![" + alt.replace(/[\[\]\n]/g, " ") + "](" + answer.address + ")", "");
        }
      })
      .catch(function () { said.textContent = bar.dataset.failed; });
  }
  body.addEventListener("paste", function (event) {
    var file = event.clipboardData && event.clipboardData.files[0];
    if (file && file.type.indexOf("image/") === 0) { event.preventDefault(); upload(file); }
  });

  /* --- links --- */
  var dialog = document.getElementById("hc-link-dialog");
  var words = document.getElementById("hc-link-words");
  var found = document.getElementById("hc-link-found");
  button("link").addEventListener("click", function () {
    words.value = body.value.slice(body.selectionStart, body.selectionEnd).slice(0, 80);
    dialog.showModal();
    offer();
  });
  dialog.querySelector("[data-close]").addEventListener("click", function () { dialog.close(); });
  words.addEventListener("input", function () { clearTimeout(words.wait); words.wait = setTimeout(offer, 200); });
  words.addEventListener("keydown", function (event) { if (event.key === "Enter") event.preventDefault(); });

  function offer() {
    var language = document.getElementById("id_language");
    var query = new URLSearchParams({ q: words.value, language: language ? language.value : "" });
    fetch(bar.dataset.links + "?" + query)
      .then(function (response) { return response.json(); })
      .then(function (answer) {
        found.replaceChildren();
        answer.articles.forEach(function (article) {
          var choice = document.createElement("button");
          choice.type = "button";
          choice.textContent = article.title;
          choice.addEventListener("click", function () {
            dialog.close();
            var chosen = body.selectionStart !== body.selectionEnd;
            insert("[", (chosen ? "" : article.title.replace(/[\[\]]/g, " ")) + "](" + article.href + ")");
          });
          var item = document.createElement("li");
          var status = document.createElement("span");
          status.className = "hc-second";
          status.textContent = article.status;
          item.append(choice, status);
          found.append(item);
        });
        if (!answer.articles.length) found.textContent = bar.dataset.nothing;
      })
      .catch(function () { found.textContent = bar.dataset.failed; });
  }

  /* --- what is typed goes to the server while it is typed, and is offered there until it is saved --- */
  var kept = bar.querySelector(".hc-kept");
  var mine = form.elements["window"];
  if (!mine.value) mine.value = random();
  var waiting = 0, sending = false, again = false, isBehind = false;

  function random() {
    return Array.from(crypto.getRandomValues(new Uint8Array(16)), function (one) {
      return (one + 256).toString(16).slice(1);
    }).join("");
  }
  function fields() {
    var data = new URLSearchParams({ csrfmiddlewaretoken: token, window: mine.value });
    ["title", "slug", "body", "language", "translation_group", "category", "audience", "labels", "seen"]
      .forEach(function (name) { if (form.elements[name]) data.set(name, form.elements[name].value); });
    return data;
  }
  function send() {
    clearTimeout(waiting);
    waiting = 0;
    if (sending) { again = true; return; }
    sending = true;
    isBehind = true;
    fetch(bar.dataset.autosave, { method: "POST", body: fields(), redirect: "manual" })
      .then(function (response) {
        if (response.type === "opaqueredirect" || response.status === 403) throw new Error(bar.dataset.signedOut);
        return response.json();
      })
      .then(function (answer) {
        if (answer.error) throw new Error(answer.error);
        isBehind = again;
        said.textContent = "";
        kept.textContent = bar.dataset.kept + " " + answer.saved;
      })
      .catch(function (error) {
        kept.textContent = "";
        said.textContent = error instanceof TypeError ? bar.dataset.notKept : error.message;
      })
      .finally(function () {
        sending = false;
        if (again) { again = false; waiting = setTimeout(send, 1500); }
      });
  }
  form.addEventListener("input", function () {
    isBehind = true;
    if (!waiting) waiting = setTimeout(send, 1500);
  });
  window.addEventListener("pagehide", function () {
    if (waiting) navigator.sendBeacon(bar.dataset.autosave, fields());
  });

  /* --- and a copy stays in this browser, for when the server cannot be reached --- */
  var key = "helpcenter-draft:" + location.pathname;
  var names = ["title", "body"];

  function read() {
    try { return JSON.parse(localStorage.getItem(key)); } catch (error) { return null; }
  }
  function typed() {
    return names.map(function (name) { return form.elements[name].value; });
  }
  var opened = JSON.stringify(typed());
  var copy = read();
  // An error of the form brings the typed text back by itself, and the server's copy is the better one.
  var isOffered = form.querySelector(".errornote, .hc-offer") || location.search.indexOf("autosave=") > 0;
  if (copy && JSON.stringify(copy) !== opened && !isOffered) offerBack(copy);

  function offerBack(values) {
    var note = document.createElement("p");
    note.className = "hc-restore";
    note.setAttribute("role", "status");
    note.append(bar.dataset.restore + " ");
    [["restoreYes", function () {
      names.forEach(function (name, number) { form.elements[name].value = values[number]; });
      body.dispatchEvent(new Event("input", { bubbles: true }));
    }], ["restoreNo", function () { localStorage.removeItem(key); }]].forEach(function (pair) {
      var choice = document.createElement("button");
      choice.type = "button";
      choice.textContent = bar.dataset[pair[0]];
      choice.addEventListener("click", function () { pair[1](); note.remove(); });
      note.append(choice, " ");
    });
    bar.after(note);
  }

  form.addEventListener("input", function () {
    clearTimeout(timer);
    timer = setTimeout(function () {
      refresh();
      try { localStorage.setItem(key, JSON.stringify(typed())); } catch (error) { /* full, or not allowed */ }
    }, 600);
  });
  form.addEventListener("submit", function (event) {
    if (event.submitter && event.submitter.hasAttribute("formaction")) return;
    clearTimeout(timer);
    clearTimeout(waiting);
    waiting = 0;
    // Where the server did not take the last of it, somebody may have to sign in first: then it is needed here.
    if (!isBehind || !said.textContent) localStorage.removeItem(key);
  });
});

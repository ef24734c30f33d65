/* Single keys for the pages of the desk: never while somebody types, never with Ctrl, Alt or Meta, and only as long as
   they are switched on. A page gives its keys to hcShortcuts once; "g" may begin a pair. */
"use strict";

window.hcShortcuts = function (keys) {
  var dialog = document.getElementById("hc-shortcuts");
  var opener = document.querySelector("[data-shortcuts-open]");
  var box = dialog.querySelector("[data-shortcuts-on]");
  var STORE = "hc-shortcuts";
  var first = "";
  var timer = 0;

  function isOn() {
    try { return localStorage.getItem(STORE) !== "off"; } catch (error) { return true; }
  }

  function types(element) {
    return element.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(element.tagName) &&
      !/^(checkbox|radio|button|submit)$/.test(element.type);
  }

  opener.hidden = false;
  opener.addEventListener("click", function () { dialog.showModal(); });
  box.checked = isOn();
  box.addEventListener("change", function () {
    try { localStorage.setItem(STORE, box.checked ? "on" : "off"); } catch (error) { /* for this page only, then */ }
  });

  document.addEventListener("keydown", function (event) {
    if (event.key === "Escape" && types(event.target)) event.target.blur();
    if (event.ctrlKey || event.altKey || event.metaKey || event.isComposing || types(event.target)) return;
    if (dialog.open || !isOn()) return;
    if (event.key === "?") {
      dialog.showModal();
      event.preventDefault();
      return;
    }
    var pair = first + event.key;
    first = "";
    clearTimeout(timer);
    if (event.key === "g" && pair === "g") {
      first = "g ";
      timer = setTimeout(function () { first = ""; }, 1500);
      return;
    }
    var action = Object.prototype.hasOwnProperty.call(keys, pair) ? keys[pair] : null;
    // Enter keeps its meaning on a link or a button.
    if (!action || event.key === "Enter" && /^(A|BUTTON|SUMMARY)$/.test(event.target.tagName)) return;
    if (action() !== false) event.preventDefault();
  });
};

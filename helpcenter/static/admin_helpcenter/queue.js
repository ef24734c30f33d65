/* The queue keeps itself up to date: every few seconds it asks what has changed, and takes over the rows of the same
   page where something has. Selected tickets stay selected and the marked row stays marked; nothing is swapped while
   somebody is choosing what to do. Without this the list is as it was when it was opened. */
document.addEventListener("DOMContentLoaded", function () {
  "use strict";

  var EVERY = 15000, AFTER_FAILURE = 60000, MOST_NEWS = 5;
  var live = document.getElementById("hc-live");
  if (!live) return;
  var said = live.querySelector("[role=status]");
  var news = live.querySelector(".hc-news");
  var since = live.dataset.since;
  var timer = 0;
  var isStale = false;

  function form() { return document.getElementById("changelist-form"); }
  function rows() { return Array.from(document.querySelectorAll("#result_list tbody tr")); }
  function boxOf(row) { return row.querySelector("input.action-select"); }
  function keyOf(row) { var box = boxOf(row); return box ? box.value : ""; }
  function marked() { return document.querySelector("#result_list tr.hc-marked"); }

  /* --- refreshing --- */
  function wait(pause) {
    clearTimeout(timer);
    timer = setTimeout(look, pause);
  }

  function look() {
    if (document.hidden) return wait(EVERY);
    fetch(live.dataset.pulse + "?since=" + encodeURIComponent(since), { headers: { Accept: "application/json" } })
      .then(function (response) { return response.ok ? response.json() : Promise.reject(response.status); })
      .then(function (pulse) {
        since = pulse.now;
        said.textContent = "";
        showCounts(pulse.counts);
        pulse.wrote.forEach(tell);
        isStale = isStale || pulse.changed;
        if (isStale) return refresh();
        return null;
      })
      .then(function () { wait(EVERY); })
      .catch(function () {
        said.textContent = live.dataset.offline;
        wait(AFTER_FAILURE);
      });
  }

  function showCounts(counts) {
    document.querySelectorAll(".hc-queues [data-queue]").forEach(function (tab) {
      var count = tab.querySelector(".hc-count");
      if (!count || !(tab.dataset.queue in counts)) return;
      count.textContent = counts[tab.dataset.queue];
      if (tab.dataset.queue === "overdue") count.classList.toggle("hc-bad", counts.overdue > 0);
    });
  }

  function tell(one) {
    var item = document.createElement("li");
    var link = document.createElement("a");
    link.href = one.url;
    link.textContent = one.said;
    item.appendChild(link);
    if (one.mine) item.className = "hc-mine";
    news.prepend(item);
    while (news.children.length > MOST_NEWS) news.lastElementChild.remove();
    said.textContent = one.said;
  }

  function refresh() {
    var action = form() && form().querySelector("select[name=action]");
    if (action && action.value) return null; // somebody is about to do something with what is shown
    return fetch(location.href)
      .then(function (response) { return response.ok ? response.text() : Promise.reject(response.status); })
      .then(function (html) {
        var fresh = new DOMParser().parseFromString(html, "text/html");
        var body = fresh.querySelector("#result_list tbody");
        var shown = document.querySelector("#result_list tbody");
        if (!body !== !shown) { location.reload(); return; } // from none to some, or back: nothing can be selected
        isStale = false;
        if (!body) return;
        var selected = rows().filter(function (row) { return boxOf(row) && boxOf(row).checked; }).map(keyOf);
        var at = marked() ? keyOf(marked()) : "";
        shown.replaceChildren.apply(shown, Array.from(body.children).map(function (row) { return document.adoptNode(row); }));
        rows().forEach(function (row) {
          var box = boxOf(row);
          if (!box) return;
          box.checked = selected.indexOf(box.value) >= 0;
          row.classList.toggle("selected", box.checked);
          row.classList.toggle("hc-marked", at !== "" && box.value === at);
        });
        if (!said.textContent) said.textContent = live.dataset.updated;
      });
  }

  document.addEventListener("visibilitychange", function () { if (!document.hidden) wait(0); });
  wait(EVERY);

  /* --- keys --- */
  function move(step) {
    var all = rows();
    if (!all.length) return false;
    var at = all.indexOf(marked());
    var next = all[Math.max(0, Math.min(all.length - 1, at < 0 ? 0 : at + step))];
    if (marked()) marked().classList.remove("hc-marked");
    next.classList.add("hc-marked");
    next.querySelector("th a, td a").focus();
    next.scrollIntoView({ block: "nearest" });
    return true;
  }

  function open() {
    var row = marked();
    if (!row) return false;
    location.href = row.querySelector("th a, td a").href;
    return true;
  }

  function toggle() {
    var row = marked();
    var box = row && boxOf(row);
    if (!box) return false;
    box.click();
    return true;
  }

  function act(name) {
    return function () {
      var select = form() && form().querySelector("select[name=action]");
      if (!select || !select.querySelector("option[value=" + name + "]")) return false;
      var some = rows().some(function (row) { return boxOf(row) && boxOf(row).checked; });
      if (!some && !(marked() && toggle())) return false;
      select.value = name;
      form().querySelector("button[name=index]").click();
      return true;
    };
  }

  function go(queue) {
    return function () {
      var tab = document.querySelector(".hc-queues [data-queue=" + queue + "]");
      if (tab) location.href = tab.href;
      return !!tab;
    };
  }

  window.hcShortcuts({
    j: function () { return move(1); },
    k: function () { return move(-1); },
    Enter: open,
    o: open,
    x: toggle,
    a: act("assign_to_me"),
    e: act("solve"),
    m: act("merge"),
    1: act("make_low"),
    2: act("make_normal"),
    3: act("make_high"),
    4: act("make_urgent"),
    "/": function () {
      var search = document.getElementById("searchbar");
      if (search) search.focus();
      return !!search;
    },
    "g m": go("mine"),
    "g u": go("unassigned"),
    "g w": go("open"),
    "g d": go("overdue"),
    "g p": go("pending")
  });
});

/* Keys, chosen rows, and files dropped on a page. Every page works without this file. */
(function () {
  "use strict";
  var awaiting = 0;

  function rows() {
    return Array.prototype.slice.call(document.querySelectorAll("tr[data-row]"));
  }

  function step(by) {
    var all = rows();
    if (!all.length) { return; }
    var at = all.indexOf(document.querySelector("tr[data-row].at"));
    var next = all[Math.min(Math.max(at + by, 0), all.length - 1)];
    all.forEach(function (row) { row.classList.toggle("at", row === next); });
    var link = next.querySelector("a");
    if (link) { link.focus({ preventScroll: true }); }
    next.scrollIntoView({ block: "nearest" });
  }

  function follow(selector) {
    var link = document.querySelector(selector);
    if (link) { link.click(); }
    return Boolean(link);
  }

  function choose() {
    var box = document.querySelector("tr[data-row].at input[type=checkbox]");
    if (box) { box.checked = !box.checked; count(); }
  }

  function count() {
    document.querySelectorAll("[data-chosen]").forEach(function (place) {
      place.textContent = String(document.querySelectorAll("tr[data-row] input[type=checkbox]:checked").length);
    });
  }

  /* A key on a button: what is chosen, or the row one stands on; what has to be said first is asked for. */
  function act(key) {
    var button = document.querySelector('button[data-act="' + CSS.escape(key) + '"]');
    if (!button) { return false; }
    var boxes = "tr[data-row] input[type=checkbox]";
    if (document.querySelector("[data-chosen]") && !document.querySelector(boxes + ":checked")) {
      var box = document.querySelector("tr[data-row].at input[type=checkbox]");
      if (!box) { return false; }
      box.checked = true;
      count();
    }
    var why = button.dataset.why && button.form.elements[button.dataset.why];
    if (why && !why.value) { why.focus(); } else { button.click(); }
    return true;
  }

  function is_typing(target) {
    return /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName) && target.type !== "checkbox";
  }

  var KEYS = {
    j: function () { step(1); },
    k: function () { step(-1); },
    x: choose,
    n: function () { follow("a[rel=next]"); },
    "/": function () { var field = document.querySelector("[data-filter]"); if (field) { field.focus(); } },
    "?": function () { var keys = document.getElementById("keys"); if (keys && !keys.open) { keys.showModal(); } },
    Enter: function (event) { return event.target.tagName === "BODY" && follow("tr[data-row].at a"); }
  };

  document.addEventListener("keydown", function (event) {
    if (event.ctrlKey || event.metaKey || event.altKey) { return; }
    if (event.key === "Enter" && event.target.type === "checkbox") { event.preventDefault(); return; }
    if (is_typing(event.target)) {
      if (event.key === "Escape") { event.target.blur(); }
      return;
    }
    if (awaiting && Date.now() - awaiting < 1500) {
      awaiting = 0;
      if (follow('a[data-key="' + CSS.escape(event.key) + '"]')) { event.preventDefault(); return; }
    }
    if (event.key === "g") { awaiting = Date.now(); return; }
    var done = Object.prototype.hasOwnProperty.call(KEYS, event.key) ? KEYS[event.key](event) : act(event.key);
    if (done !== false && event.key !== "Enter") { event.preventDefault(); }
  });

  document.addEventListener("change", function (event) {
    if (event.target.matches("[data-choose-all]")) {
      document.querySelectorAll("tr[data-row] input[type=checkbox]").forEach(function (box) { box.checked = event.target.checked; });
    }
    count();
  });

  var menu = document.querySelector(".side"), here = menu && menu.querySelector("[aria-current]");
  if (here) { menu.scrollLeft = here.offsetLeft - menu.offsetLeft - 16; } // on a phone the menu is a line that scrolls

  /* On a phone each row is a card, and each figure stands beside the word from the head of its column. */
  function card(table) {
    var heads = Array.prototype.map.call(table.tHead.rows[0].cells, function (cell) { return cell.textContent.trim(); });
    Array.prototype.forEach.call(table.tBodies, function (body) {
      Array.prototype.forEach.call(body.rows, function (row) {
        var column = 0;
        Array.prototype.forEach.call(row.cells, function (cell) {
          cell.dataset.head = cell.colSpan > 1 ? "" : heads[column] || "";
          cell.classList.toggle("blank", !cell.children.length && !cell.textContent.trim());
          column += cell.colSpan;
        });
      });
    });
    table.classList.add("cards");
  }

  function cards() {
    document.querySelectorAll(".scroll table").forEach(function (table) { if (table.tHead) { card(table); } });
  }

  cards();
  document.addEventListener("htmx:afterSettle", cards); // what a page exchanged of itself

  document.querySelectorAll("[data-drop]").forEach(function (zone) {
    var field = zone.querySelector("input[type=file]");
    ["dragenter", "dragover"].forEach(function (name) {
      zone.addEventListener(name, function (event) { event.preventDefault(); zone.classList.add("over"); });
    });
    zone.addEventListener("dragleave", function () { zone.classList.remove("over"); });
    zone.addEventListener("drop", function (event) {
      event.preventDefault();
      zone.classList.remove("over");
      field.files = event.dataTransfer.files;
      zone.closest("form").requestSubmit();
    });
  });
})();

"use strict";
const at = (id) => document.getElementById(id);
const LANGUAGES = { id: "Indonesia", jv: "Jawa", en: "English", zh: "中文" };
const SOUNDS = { // frequency in hertz, start and length in seconds
  adult: [[880, 0, 0.14]],
  concession: [[880, 0, 0.1], [1175, 0.14, 0.14]],
  again: [[440, 0, 0.12], [587, 0.16, 0.16]],
  stop: [[196, 0, 0.45]],
};
let words = {};
let language = localStorage.getItem("language") || "id";
let shown = null;
let buttons = [];
let asked = null;
let air = null;

const word = (key) => (words[language] || {})[key] || key;
const rupiah = (amount) => amount === null ? "" : "Rp" + String(amount).replace(/\B(?=(\d{3})+$)/g, ".");

function filled(tag, text, parent) {
  const made = document.createElement(tag);
  made.textContent = text;
  parent.append(made);
  return made;
}

function sound(name) {
  if (!SOUNDS[name]) return;
  air = air || new AudioContext();
  for (const [hertz, start, length] of SOUNDS[name]) {
    const voice = air.createOscillator();
    const loud = air.createGain();
    voice.type = name === "stop" ? "square" : "sine";
    voice.frequency.value = hertz;
    loud.gain.value = 0.25;
    voice.connect(loud).connect(air.destination);
    voice.start(air.currentTime + start);
    voice.stop(air.currentTime + start + length);
  }
}

function draw() {
  if (!shown) return;
  const { board, around } = shown;
  document.documentElement.lang = language;
  document.body.dataset.tone = board.tone;
  document.body.dataset.word = board.word;
  document.body.dataset.number = board.number;
  at("word").textContent = word(board.word);
  at("amount").textContent = rupiah(board.amount);
  at("balance").textContent = board.balance === null ? "" : word("balance-left") + " " + rupiah(board.balance);
  at("letter").textContent = board.letter;
  drawCode(board.code);
  at("notes").replaceChildren();
  board.notes.forEach((note) => filled("li", word(note), at("notes")));
  const body = at("rows").tBodies[0];
  body.replaceChildren();
  for (const row of board.rows) {
    const line = body.insertRow();
    [word(row.word), row.text, rupiah(row.amount)].forEach((text) => filled("td", text, line));
  }
  at("terminal").textContent = "No. " + around.terminal;
  at("line").textContent = word(around.alone ? "working-alone" : "online")
    + (around.waiting ? " · " + around.waiting + " " + word("waiting") : "");
  at("shift").textContent = around.person ? around.person + " · " + word("taken") + " " + rupiah(around.taken) : "";
  at("warnings").replaceChildren();
  around.warnings.forEach((warning) => filled("li", word(warning), at("warnings")));
  drawButtons(around.buttons);
}

function drawCode(code) {
  at("code").hidden = !code.size;
  document.body.classList.toggle("coded", code.size > 0);
  if (!code.size) return;
  at("code").querySelector("svg").setAttribute("viewBox", `0 0 ${code.size} ${code.size}`);
  at("code").querySelector("path").setAttribute("d", code.path);
  at("code-word").textContent = word("scan-balance");
}

function drawButtons(wanted) {
  const now = JSON.stringify([language, wanted]);
  if (now === at("buttons").dataset.now) return; // a finger may rest on one
  at("buttons").dataset.now = now;
  buttons = wanted;
  at("buttons").replaceChildren();
  for (const one of wanted) {
    const made = filled("button", word(one.word) + (one.amount ? " " + rupiah(one.amount) : ""), at("buttons"));
    made.dataset.action = one.action;
    filled("kbd", one.key === "Escape" ? "Esc" : one.key === "Enter" ? "↵" : one.key, made);
    made.addEventListener("click", () => press(one));
  }
}

function press(one) {
  if (one.entry === "nothing") return send(one.action, "");
  asked = one;
  at("entry-word").textContent = word(one.action === "open-shift" ? "your-name" : one.word);
  at("ok").textContent = word("ok");
  at("back").textContent = word("cancel");
  at("keypad").hidden = one.entry !== "amount";
  at("value").inputMode = one.entry === "amount" ? "numeric" : "text";
  at("value").value = "";
  at("wrong").textContent = "";
  at("entry").showModal();
  at("value").focus();
  return null;
}

async function send(action, value) {
  const headers = { "Content-Type": "application/json" };
  const answer = await fetch("/press", { method: "POST", headers, body: JSON.stringify({ action, value }) });
  if (answer.ok) return true;
  const told = await answer.json();
  const said = word(told.word || "not-now").replace(/\{(\w+)\}/g, (braced, name) => (told.values || {})[name] ?? braced);
  if (at("entry").open) at("wrong").textContent = said;
  else filled("li", said, at("warnings")); // a button that asks for nothing: until the next board
  return false;
}

function drawLanguages() {
  at("languages").replaceChildren();
  for (const [code, name] of Object.entries(LANGUAGES)) {
    const made = filled("button", name, at("languages"));
    made.lang = code;
    made.setAttribute("aria-pressed", String(code === language));
    made.addEventListener("click", () => {
      language = code;
      localStorage.setItem("language", code);
      drawLanguages();
      draw();
    });
  }
}

function keypad() {
  for (const key of ["1", "2", "3", "4", "5", "6", "7", "8", "9", "000", "0", "⌫"]) {
    const made = filled("button", key, at("keypad"));
    made.type = "button";
    made.addEventListener("click", () => {
      const field = at("value");
      field.value = key === "⌫" ? field.value.slice(0, -1) : (field.value + key).slice(0, 12);
    });
  }
  at("back").addEventListener("click", () => at("entry").close());
  at("entry").querySelector("form").addEventListener("submit", async (event) => {
    event.preventDefault();
    if (asked && await send(asked.action, at("value").value)) at("entry").close();
  });
}

document.addEventListener("keydown", (event) => {
  if (at("entry").open || event.ctrlKey || event.altKey || event.metaKey) return;
  if (event.key === "Enter" && document.activeElement.tagName === "BUTTON") return;
  const one = buttons.find((button) => button.key === event.key);
  if (one) {
    event.preventDefault();
    press(one);
  }
});

async function start() {
  words = await (await fetch("/words")).json();
  drawLanguages();
  keypad();
  const feed = new EventSource("/events");
  let last = -1;
  feed.onmessage = (event) => {
    shown = JSON.parse(event.data);
    draw();
    if (shown.board.number !== last && last >= 0) sound(shown.board.sound);
    last = shown.board.number;
  };
  feed.onerror = () => {
    document.body.dataset.tone = "red";
    at("word").textContent = word("screen-lost");
    at("amount").textContent = at("balance").textContent = "";
  };
}

start();

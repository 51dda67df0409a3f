// The pages work without this, as far as looking goes. With it they stay live, know Airflow's theme, ask
// before they act, and leave the frame when a link leads to Airflow itself.
"use strict";

const ACTION = { "X-Outreach-Action": "1" };

function parentWindow() {
  try {
    return window.parent !== window && window.parent.document ? window.parent : null;
  } catch {
    return null; // framed by somebody else's origin: the policy forbids it, but be sure
  }
}

function followTheme() {
  const outer = parentWindow()?.document.documentElement;
  if (!outer) return;
  const apply = () => {
    const dark = outer.classList.contains("dark");
    if (dark || outer.classList.contains("light")) document.documentElement.dataset.theme = dark ? "dark" : "light";
  };
  apply();
  new MutationObserver(apply).observe(outer, { attributes: true, attributeFilter: ["class"] });
}

followTheme(); // before the first paint

// The time zone chosen in Airflow's own pages, else the browser's: the server knows neither and writes UTC.
function chosenZone() {
  const own = Intl.DateTimeFormat().resolvedOptions().timeZone;
  let zone = own;
  try {
    zone = JSON.parse(localStorage.getItem("timezone")) ?? own;
    new Intl.DateTimeFormat("en-GB", { timeZone: zone });
  } catch {
    zone = own; // one this browser does not know
  }
  return zone === "UTC" ? null : zone;
}

function partsIn(zone, moment) {
  const format = new Intl.DateTimeFormat("en-GB", { timeZone: zone, hourCycle: "h23", year: "numeric",
    month: "short", day: "2-digit", hour: "2-digit", minute: "2-digit", second: "2-digit" });
  return Object.fromEntries(format.formatToParts(moment).map((part) => [part.type, part.value]));
}

// 2026-03-25T18:30 as a clock of the zone shows it; and the moment at which it does.
function wallOf(zone, moment) {
  return new Intl.DateTimeFormat("sv-SE", { timeZone: zone, year: "numeric", month: "2-digit", day: "2-digit", hour: "2-digit", minute: "2-digit" }).format(moment).replace(" ", "T");
}

function momentOf(zone, wall) {
  const asUtc = (text) => Date.parse(`${text}Z`);
  let at = asUtc(wall);
  for (let n = 0; n < 2; n++) at += asUtc(wall) - asUtc(wallOf(zone, new Date(at)));
  return new Date(at);
}

function showClocks(root) {
  const zone = chosenZone();
  if (!zone) return;
  const parts = (moment) => partsIn(zone, moment);
  const now = parts(new Date());
  root.querySelectorAll("text[data-moment]").forEach((each) => {
    const at = parts(new Date(each.dataset.moment));
    each.textContent = each.dataset.form === "day" ? `${at.day} ${at.month}` : `${at.hour}:${at.minute}`;
  });
  root.querySelectorAll("a[data-since]").forEach((each) => {
    const [from, to] = [parts(new Date(each.dataset.since)), parts(new Date(each.dataset.until))];
    const says = `${from.day} ${from.month} ${from.hour}:${from.minute} to ${to.hour}:${to.minute} ${zone}: ${each.dataset.says}`;
    each.setAttribute("aria-label", says);
    each.querySelector("title").textContent = says;
  });
  root.querySelectorAll("input[data-moment-field]").forEach((each) => {
    const value = each.getAttribute("value");
    if (value && !("local" in each.dataset)) each.setAttribute("value", wallOf(zone, new Date(`${value}Z`)));
    each.dataset.local = "";
  });
  root.querySelectorAll("time[datetime]").forEach((each) => {
    const at = parts(new Date(each.dateTime));
    const day = `${at.day} ${at.month}`;
    each.title = `${day} ${at.year} ${at.hour}:${at.minute}:${at.second} ${zone}`;
    if (!("clock" in each.dataset)) return;
    const clock = each.dataset.clock === "minute" ? `${at.hour}:${at.minute}` : `${at.hour}:${at.minute}:${at.second}`;
    if (each.dataset.clock === "hour") each.textContent = `${at.hour}:${at.minute}`;
    else if (at.year !== now.year) each.textContent = `${day} ${at.year} ${at.hour}:${at.minute}`;
    else if (day !== `${now.day} ${now.month}`) each.textContent = `${day} ${at.hour}:${at.minute}`;
    else each.textContent = clock;
  });
  root.querySelectorAll("[data-at]").forEach((each) => {
    const at = parts(new Date(each.dataset.at));
    each.title = `${each.dataset.says}, ${at.day} ${at.month} ${at.year} ${at.hour}:${at.minute} ${zone}`;
  });
  root.querySelectorAll("[data-zone]").forEach((each) => (each.textContent = zone));
}

function toast(text, bad) {
  const line = document.createElement("p");
  line.textContent = text;
  line.className = bad ? "bad" : "";
  document.getElementById("toast").replaceChildren(line);
  setTimeout(() => line.remove(), bad ? 15000 : 8000);
}

async function post(url, body) {
  const headers = body === undefined ? ACTION : { ...ACTION, "Content-Type": "application/json" };
  const answer = await fetch(url, { method: "POST", headers, body: body === undefined ? undefined : JSON.stringify(body) });
  if (answer.ok) return answer;
  let said = `HTTP ${answer.status}`;
  try {
    const detail = (await answer.json()).detail;
    if (typeof detail === "string") said = detail;
  } catch { /* no JSON: the status must do */ }
  throw Object.assign(new Error(said), { status: answer.status });
}

// The button says what it does: the verb of whatever was clicked.
function confirmed(title, text, verb) {
  const dialog = document.getElementById("confirm");
  const [yes, no] = [document.getElementById("confirm-yes"), document.getElementById("confirm-no")];
  document.getElementById("confirm-title").textContent = title;
  document.getElementById("confirm-text").textContent = text;
  yes.textContent = verb;
  dialog.returnValue = "";
  yes.onclick = () => dialog.close("yes");
  no.onclick = () => dialog.close("");
  dialog.showModal();
  no.focus();
  return new Promise((resolve) => dialog.addEventListener("close", () => resolve(dialog.returnValue === "yes"), { once: true }));
}

// One thing at a time: while something is asked or done, nothing else can be started and the page keeps still.
let doing = false;

async function alone(starter, work) {
  if (doing) return;
  doing = true;
  starter.setAttribute("aria-busy", "true");
  let changed = false;
  try {
    changed = await work();
  } catch (error) {
    toast(error.message, true);
  } finally {
    doing = false;
    starter.removeAttribute("aria-busy");
    if (document.activeElement === document.body) (starter.isConnected ? starter : document.getElementById("main")).focus({ preventScroll: true });
  }
  if (changed) refresh(true).catch((error) => toast(error.message, true));
}

// What is done is what the dialog said, word for word: where the server would say something else by now, it is
// asked again. Returns whether anything was done.
async function act(element, fields) {
  const body = { ...JSON.parse(element.dataset.body || "{}"), ...fields };
  const { action, title } = element.dataset;
  let follow = null;
  for (let changed = ""; ; changed = "This has changed meanwhile. ") {
    const plan = await (await post(action, { ...body, go: false })).json();
    if (plan.count === 0) {
      toast(`Nothing to do: ${plan.says}`);
      return false;
    }
    const starter = element.matches("button") ? element : element.querySelector("button");
    if (!(await confirmed(title, changed + plan.says, starter.textContent.trim()))) return false;
    try {
      const done = await (await post(action, { ...body, go: true, expect: plan.count, confirmed: plan.says })).json();
      toast(done.says);
      follow = done.follow;
      break;
    } catch (error) {
      if (error.status !== 409) throw error;
    }
  }
  if (element.dataset.then) location.assign(element.dataset.then);
  else if (follow) location.assign(document.body.dataset.base + follow);
  // What was typed is done with; what was chosen, or typed since, stays.
  for (const field of element.elements ?? []) if (field.matches("input, textarea") && field.value === fields[field.name]) field.value = field.defaultValue;
  return true;
}

// The page is renewed around the person. What somebody chose, typed, opened, scrolled or focused lives in the
// elements: they stay, and only what the server says differently is changed in them. An element of the page
// before is the same one if its key is.
const OWN = ["id", "rel", "data-action", "data-columns", "data-of", "name", "action", "href", "aria-labelledby", "aria-label"];

function keyOf(node) {
  if (node.nodeType !== Node.ELEMENT_NODE) return node.nodeName;
  const own = OWN.find((name) => node.getAttribute(name));
  if (own) return `${node.nodeName} ${own}=${node.getAttribute(own)} ${node.dataset.body ?? ""}`;
  if (node.matches("option")) return `OPTION ${node.value}`;
  // Rows, items and labels are known by what is in them.
  const inner = node.matches("tr, li, label") && (node.querySelector("[id]") ?? node.querySelector("[name], [data-action], [href]"));
  return `${node.nodeName} ${inner ? keyOf(inner) : node.getAttribute("class")}`;
}

// The person's, not the page's: whether it is open or busy, and how large it was drawn.
const KEPT = ["open", "aria-busy", "style"];

function renewAttributes(old, fresh) {
  for (const { name, value } of fresh.attributes) if (!KEPT.includes(name) && old.getAttribute(name) !== value) old.setAttribute(name, value);
  for (const name of old.getAttributeNames()) if (!KEPT.includes(name) && !fresh.hasAttribute(name)) old.removeAttribute(name);
}

function renewChildren(old, fresh) {
  const known = new Map();
  for (const child of old.childNodes) known.set(keyOf(child), [...(known.get(keyOf(child)) ?? []), child]);
  const pairs = [...fresh.childNodes].map((child) => [known.get(keyOf(child))?.shift(), child]);
  // An option that is seen as chosen stays although the server has it no more: whoever sends it is told.
  for (const gone of [...known.values()].flat()) if (!(gone instanceof HTMLOptionElement && gone.selected)) gone.remove();
  let place = old.firstChild;
  for (const [same, child] of pairs) {
    if (same) renew(same, child);
    if (same && same === place) place = place.nextSibling;
    else (same && old.moveBefore ? old.moveBefore : old.insertBefore).call(old, same ?? child, place);
  }
}

function renew(old, fresh) {
  if (old.isEqualNode(fresh)) return;
  if (old.nodeType !== Node.ELEMENT_NODE) {
    old.nodeValue = fresh.nodeValue;
    return;
  }
  const { value, checked } = old;
  const chosen = old.matches("input, select, textarea") && (isFilledIn(old) || (old.matches("select") && !fresh.querySelector("[selected]")));
  renewAttributes(old, fresh);
  renewChildren(old, fresh);
  if (chosen) Object.assign(old, { value, checked });
}

function isFilledIn(field) {
  if (field instanceof HTMLSelectElement) return field.selectedIndex !== Math.max(0, [...field.options].findIndex((option) => option.defaultSelected));
  return field.value !== field.defaultValue || field.checked !== field.defaultChecked;
}

// How often the page was asked for or shown: an answer that was overtaken is an older page.
let looks = 0;

function show(html, live) {
  const fresh = new DOMParser().parseFromString(html, "text/html").getElementById("main");
  const main = document.getElementById("main");
  if (!fresh) return;
  looks++;
  const focused = main.contains(document.activeElement) && document.activeElement;
  showClocks(fresh);
  furnishTables(fresh);
  renewChildren(main, fresh);
  main.dataset.live = live ?? fresh.dataset.live;
  if (focused && document.activeElement !== focused) (focused.isConnected ? focused : main).focus({ preventScroll: true });
}

function isBusy() {
  return doing || document.hidden || !getSelection().isCollapsed;
}

async function refresh(now) {
  if (!now && isBusy()) return;
  const look = ++looks;
  const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
  if (!answer.ok) throw new Error(answer.status === 401 ? "You are no longer logged in: reload Airflow." : `HTTP ${answer.status}`);
  const html = await answer.text();
  if (look === looks && (now || !isBusy())) show(html);
}

// Says it when the page is not live any more, and when it is again.
function sayStale(why) {
  const line = document.getElementById("stale");
  line.textContent = why ? `This page is not being renewed: ${why}` : "";
  line.hidden = !why;
}

function keepLive() {
  const seconds = Number(document.getElementById("main").dataset.live);
  setTimeout(async () => {
    try {
      if (seconds && Number(document.getElementById("main").dataset.live)) {
        await refresh(false);
        sayStale("");
      }
    } catch (error) {
      sayStale(error instanceof TypeError ? "the server does not answer." : error.message);
    }
    keepLive();
  }, 1000 * (seconds || 30));
}

async function exportAll(button) {
  if (!(await confirmed("Export whole numbers?", "The file holds personal data. That you took it is written into the audit.", "Export"))) return;
  const url = URL.createObjectURL(await (await post(button.dataset.export)).blob());
  const link = Object.assign(document.createElement("a"), { href: url, download: button.dataset.name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 10000);
}

// What is typed is asked about, and nothing is done: the answer is this page with what came of it.
let answers = 0;

async function showAnswer(form) {
  const asked = ++answers;
  const html = await (await post(form.dataset.show, Object.fromEntries(new FormData(form)))).text();
  if (asked === answers) show(html, "0");
}

// A moment after the last key: what was typed before it is nobody's question any more.
let typed = 0;

function onTyped(form) {
  clearTimeout(typed);
  typed = setTimeout(() => showAnswer(form).catch((error) => toast(error.message, true)), 500);
}

// What is asked leads to a page. By POST: a number in a URL would be in histories and logs.
async function follow(form) {
  const body = Object.fromEntries([...new FormData(form)].map(([name, value]) => [name, value.trim()]));
  if (!Object.values(body).some(Boolean)) return;
  const { path, says } = await (await post(form.dataset.follow, body)).json();
  if (path) location.assign(form.dataset.base + path);
  else toast(says, true);
}

async function reveal() {
  if (!(await confirmed("Show personal data?", "That you looked is written into the audit.", "Show"))) return;
  show(await (await post(location.pathname + location.search)).text(), "0");
}

// The sandbox lets no link leave the frame; a link of Airflow's own document may.
function leaveFrame(event, link) {
  const outer = parentWindow();
  if (!outer || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  const there = outer.document.createElement("a");
  there.href = link.href;
  outer.document.body.append(there);
  there.click();
  there.remove();
}

document.addEventListener("DOMContentLoaded", () => {
  showClocks(document);
  furnishTables(document);
  document.addEventListener("click", (event) => {
    document.querySelectorAll(".columns[open]").forEach((menu) => (menu.open = menu.contains(event.target)));
    const at = event.target.closest("[data-airflow], [data-reveal], [data-export], [data-copy], button[data-action]");
    if (!at) return;
    if ("airflow" in at.dataset) leaveFrame(event, at);
    else if ("reveal" in at.dataset) alone(at, reveal);
    else if ("export" in at.dataset) alone(at, () => exportAll(at));
    else if ("copy" in at.dataset) copy(at);
    else alone(at, () => act(at, {}));
  });
  document.addEventListener("input", (event) => {
    const form = event.target.closest("form[data-typed]");
    if (form) onTyped(form);
  });
  document.addEventListener("change", (event) => {
    const menu = event.target.closest(".columns");
    if (menu) chooseColumns(menu);
  });
  document.addEventListener("keydown", (event) => {
    const menu = event.key === "Escape" && event.target.closest(".columns[open]");
    if (!menu) return;
    menu.open = false;
    menu.querySelector("summary").focus();
  });
  document.addEventListener("submit", (event) => {
    if (!event.target.dataset.action && !event.target.dataset.follow && !event.target.dataset.show) return;
    event.preventDefault();
    if (event.target.dataset.show) return void alone(event.target.querySelector("button"), () => showAnswer(event.target));
    if (event.target.dataset.follow) return void alone(event.target.querySelector("button"), () => follow(event.target));
    alone(event.target.querySelector("button"), () => act(event.target, Object.fromEntries(new FormData(event.target))));
  });
  // What was typed is a time of the zone; what is asked for is UTC.
  document.addEventListener("formdata", (event) => {
    const zone = chosenZone();
    event.target.querySelectorAll("input[data-moment-field]").forEach((each) => {
      if (zone && each.value) event.formData.set(each.name, momentOf(zone, each.value).toISOString().slice(0, 16));
    });
  });
  keepLive();
});

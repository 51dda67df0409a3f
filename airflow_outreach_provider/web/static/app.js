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

// The time zone chosen in Airflow's own pages, which the server does not know: it writes UTC.
function chosenZone() {
  try {
    const zone = JSON.parse(localStorage.getItem("timezone"));
    new Intl.DateTimeFormat("en-GB", { timeZone: zone });
    return zone === "UTC" ? null : zone;
  } catch {
    return null; // none chosen, or one this browser does not know
  }
}

function showClocks(root) {
  const zone = chosenZone();
  if (!zone) return;
  const parts = (moment) => Object.fromEntries(new Intl.DateTimeFormat("en-GB", { timeZone: zone, hourCycle: "h23", year: "numeric",
    month: "short", day: "2-digit", hour: "2-digit", minute: "2-digit", second: "2-digit" }).formatToParts(moment).map((part) => [part.type, part.value]));
  const now = parts(new Date());
  root.querySelectorAll("time[datetime]").forEach((each) => {
    const at = parts(new Date(each.dateTime));
    const day = `${at.day} ${at.month}`;
    each.title = `${day} ${at.year} ${at.hour}:${at.minute}:${at.second} ${zone}`;
    if (!("clock" in each.dataset)) return;
    if (at.year !== now.year) each.textContent = `${day} ${at.year} ${at.hour}:${at.minute}`;
    else if (day !== `${now.day} ${now.month}`) each.textContent = `${day} ${at.hour}:${at.minute}`;
    else each.textContent = `${at.hour}:${at.minute}:${at.second}`;
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
  throw new Error(said);
}

function confirmed(title, text) {
  const dialog = document.getElementById("confirm");
  const [yes, no] = [document.getElementById("confirm-yes"), document.getElementById("confirm-no")];
  document.getElementById("confirm-title").textContent = title;
  document.getElementById("confirm-text").textContent = text;
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
  try {
    await work();
  } catch (error) {
    toast(error.message, true);
  } finally {
    doing = false;
    starter.removeAttribute("aria-busy");
    if (document.activeElement === document.body) (starter.isConnected ? starter : document.getElementById("main")).focus({ preventScroll: true });
  }
}

// The answer to the first question says how many rows it is about; what is done later is not about more.
async function act(element, fields) {
  const body = { ...JSON.parse(element.dataset.body || "{}"), ...fields };
  const plan = await (await post(element.dataset.action, { ...body, go: false })).json();
  if (plan.count === 0) return toast(`Nothing to do: ${plan.says}`);
  if (!(await confirmed(element.dataset.title, plan.says))) return;
  const done = await (await post(element.dataset.action, { ...body, go: true, expect: plan.count })).json();
  toast(done.says);
  if (element.matches("form")) element.reset();
  await refresh(true);
}

// What the person has opened, scrolled and focused stays as it is when the page is looked at again.
const KEYED = "a[href], button, summary";
const keyOf = (each) => each.closest("details")?.id || each.getAttribute("href") || `${each.textContent}|${each.dataset.action}|${each.dataset.body}|${each.getAttribute("aria-label")}`;

function show(html, live) {
  const fresh = new DOMParser().parseFromString(html, "text/html").getElementById("main");
  const main = document.getElementById("main");
  if (!fresh) return;
  const open = [...main.querySelectorAll("details[open][id]")].map((each) => each.id);
  const scrolled = [...main.querySelectorAll(".scroll, pre")].map((each) => [each.scrollLeft, each.scrollTop]);
  const focused = [...main.querySelectorAll(KEYED)].find((each) => each === document.activeElement);
  const mark = focused && keyOf(focused);
  showClocks(fresh);
  main.replaceChildren(...fresh.childNodes);
  main.dataset.live = live ?? fresh.dataset.live;
  open.forEach((id) => document.getElementById(id)?.setAttribute("open", ""));
  [...main.querySelectorAll(".scroll, pre")].forEach((each, place) => scrolled[place] && each.scrollTo(...scrolled[place]));
  if (mark) [...main.querySelectorAll(KEYED)].find((each) => keyOf(each) === mark)?.focus({ preventScroll: true });
}

function isFilledIn(field) {
  if (field instanceof HTMLSelectElement) return field.selectedIndex !== Math.max(0, [...field.options].findIndex((option) => option.defaultSelected));
  return field.value !== field.defaultValue;
}

function isBusy() {
  const at = document.activeElement;
  const typing = at?.closest("#main input, #main select, #main textarea, #main .scroll, #main pre");
  const filledIn = [...document.querySelectorAll("#main input, #main select, #main textarea")].some(isFilledIn);
  return doing || document.hidden || typing || filledIn || !getSelection().isCollapsed;
}

async function refresh(now) {
  if (!now && isBusy()) return;
  const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
  if (!answer.ok) throw new Error(answer.status === 401 ? "You are no longer logged in: reload Airflow." : `HTTP ${answer.status}`);
  if (now || !isBusy()) show(await answer.text());
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
  if (!(await confirmed("Export whole numbers?", "The file holds personal data. That you took it is written into the audit."))) return;
  const url = URL.createObjectURL(await (await post(button.dataset.export)).blob());
  const link = Object.assign(document.createElement("a"), { href: url, download: button.dataset.name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 10000);
}

async function reveal() {
  if (!(await confirmed("Show personal data?", "That you looked is written into the audit."))) return;
  show(await (await post(location.pathname)).text(), "0");
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
  document.addEventListener("click", (event) => {
    const at = event.target.closest("[data-airflow], [data-reveal], [data-export], [data-copy], button[data-action]");
    if (!at) return;
    if ("airflow" in at.dataset) leaveFrame(event, at);
    else if ("reveal" in at.dataset) alone(at, reveal);
    else if ("export" in at.dataset) alone(at, () => exportAll(at));
    else if ("copy" in at.dataset) navigator.clipboard.writeText(at.dataset.copy).then(() => toast("Copied."), () => toast("The browser does not allow it: select and copy it.", true));
    else alone(at, () => act(at, {}));
  });
  document.addEventListener("submit", (event) => {
    if (!event.target.dataset.action) return;
    event.preventDefault();
    alone(event.target.querySelector("button"), () => act(event.target, Object.fromEntries(new FormData(event.target))));
  });
  keepLive();
});

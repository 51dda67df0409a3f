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

async function act(element, fields) {
  const body = { ...JSON.parse(element.dataset.body || "{}"), ...fields };
  const buttons = element.matches("form") ? element.querySelectorAll("button") : [element];
  buttons.forEach((button) => (button.disabled = true));
  try {
    const plan = await (await post(element.dataset.action, { ...body, go: false })).json();
    if (plan.count === 0) return toast(`Nothing to do: ${plan.says}`);
    if (!(await confirmed(element.dataset.title, plan.says))) return;
    const done = await (await post(element.dataset.action, { ...body, go: true })).json();
    toast(done.says);
    if (element.matches("form")) element.reset();
    await refresh(true);
  } catch (error) {
    toast(error.message, true);
  } finally {
    buttons.forEach((button) => (button.disabled = false));
  }
}

function show(html, live) {
  const fresh = new DOMParser().parseFromString(html, "text/html").getElementById("main");
  const main = document.getElementById("main");
  if (!fresh) return;
  const open = [...main.querySelectorAll("details[open][id]")].map((each) => each.id);
  const focused = document.activeElement?.closest("#main a[href], #main button");
  const mark = focused && (focused.getAttribute("href") || focused.textContent);
  showClocks(fresh);
  main.replaceChildren(...fresh.childNodes);
  main.dataset.live = live ?? fresh.dataset.live;
  open.forEach((id) => document.getElementById(id)?.setAttribute("open", ""));
  if (mark) [...main.querySelectorAll("a[href], button")].find((each) => (each.getAttribute("href") || each.textContent) === mark)?.focus();
}

function isBusy() {
  const at = document.activeElement;
  const typing = at?.closest("#main input, #main select, #main textarea, #main .scroll, #main pre");
  return document.hidden || document.getElementById("confirm").open || typing || !getSelection().isCollapsed;
}

async function refresh(now) {
  if (!now && isBusy()) return;
  const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
  if (answer.ok && (now || !isBusy())) show(await answer.text());
}

function keepLive() {
  const seconds = Number(document.getElementById("main").dataset.live);
  setTimeout(async () => {
    try {
      if (seconds && Number(document.getElementById("main").dataset.live)) await refresh(false);
    } catch { /* the server is away for a moment: look again later */ }
    keepLive();
  }, 1000 * (seconds || 30));
}

async function exportAll(button) {
  try {
    if (!(await confirmed("Export whole numbers?", "The file holds personal data. That you took it is written into the audit."))) return;
    const url = URL.createObjectURL(await (await post(button.dataset.export)).blob());
    const link = Object.assign(document.createElement("a"), { href: url, download: button.dataset.name });
    link.click();
    setTimeout(() => URL.revokeObjectURL(url), 10000);
  } catch (error) {
    toast(error.message, true);
  }
}

async function reveal() {
  try {
    if (!(await confirmed("Show personal data?", "That you looked is written into the audit."))) return;
    show(await (await post(location.pathname)).text(), "0");
  } catch (error) {
    toast(error.message, true);
  }
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
    else if ("reveal" in at.dataset) reveal();
    else if ("export" in at.dataset) exportAll(at);
    else if ("copy" in at.dataset) navigator.clipboard.writeText(at.dataset.copy).then(() => toast("Copied."), () => toast("The browser does not allow it: select and copy it.", true));
    else act(at, {});
  });
  document.addEventListener("submit", (event) => {
    if (!event.target.dataset.action) return;
    event.preventDefault();
    act(event.target, Object.fromEntries(new FormData(event.target)));
  });
  keepLive();
});

// Tables are sorted by the server and read without this. With it somebody chooses their columns, and copies an id
// whole that the page breaks or cuts short.
"use strict";

// Which columns somebody hid is kept in their browser: by kind of table, the names of the columns.
const COLUMNS = "outreach-columns";

function hiddenColumns() {
  try {
    return Object.fromEntries(Object.entries(JSON.parse(localStorage.getItem(COLUMNS)) ?? {}).filter(([, names]) => Array.isArray(names)));
  } catch {
    return {}; // no storage, or not what we wrote
  }
}

// The first column stays: it leads to what the row is about.
function hideColumns(table, hidden) {
  const names = [...table.tHead.rows[0].cells].map((cell) => cell.textContent.trim());
  const gone = hidden[table.dataset.columns] ?? [];
  names.forEach((name, at) => at && table.classList.toggle(`without-${at + 1}`, gone.includes(name)));
  return names.slice(1).map((name) => [name, !gone.includes(name)]).filter(([name]) => name);
}

function columnMenu(kind, about, columns) {
  const menu = document.createElement("details");
  menu.className = "columns";
  menu.dataset.of = kind;
  menu.innerHTML = '<summary>Columns<span class="hidden"></span></summary><ul></ul>';
  menu.querySelector("span").textContent = ` of ${about}`;
  for (const [name, shown] of columns) {
    const box = Object.assign(document.createElement("input"), { type: "checkbox", name: "column", value: name, defaultChecked: shown });
    const [item, label] = [document.createElement("li"), document.createElement("label")];
    label.append(box, name);
    item.append(label);
    menu.querySelector("ul").append(item);
  }
  return menu;
}

// What the server does not know: the columns somebody chose, and that ids can be copied here.
function furnishTables(root) {
  const hidden = hiddenColumns();
  root.querySelectorAll("table[data-columns]").forEach((table) => {
    const region = table.closest(".scroll");
    region.before(columnMenu(table.dataset.columns, region.getAttribute("aria-label"), hideColumns(table, hidden)));
  });
  root.querySelectorAll("[data-whole]").forEach((each) => {
    const button = Object.assign(document.createElement("button"), { type: "button", className: "copy", title: "Copy" });
    button.dataset.copy = each.dataset.whole;
    button.setAttribute("aria-label", `Copy ${each.dataset.says}`);
    each.append(button);
  });
}

function chooseColumns(menu) {
  const kind = menu.dataset.of;
  const boxes = [...menu.querySelectorAll("input")];
  const hidden = { ...hiddenColumns(), [kind]: boxes.filter((box) => !box.checked).map((box) => box.value) };
  try {
    localStorage.setItem(COLUMNS, JSON.stringify(hidden));
  } catch { /* for this page, then */ }
  document.querySelectorAll(`table[data-columns="${kind}"]`).forEach((table) => hideColumns(table, hidden));
  document.querySelectorAll(`.columns[data-of="${kind}"] input`).forEach((box) => (box.checked = box.defaultChecked = !hidden[kind].includes(box.value)));
}

// Over plain HTTP browsers have no clipboard but the old one.
async function copy(button) {
  const text = button.dataset.copy;
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    const field = Object.assign(document.createElement("textarea"), { value: text, className: "hidden", readOnly: true });
    document.body.append(field);
    field.select();
    const done = document.execCommand("copy");
    field.remove();
    button.focus({ preventScroll: true });
    if (!done) return toast("The browser does not allow it: select and copy it.", true);
  }
  return toast("Copied.");
}

"use strict";
// Everything essential is in the page without this. It adds search and opening in bulk, and opens what is
// folded before printing in browsers whose style sheets cannot.
(() => {
  const MOST = 200; // hits that are listed
  const SLICE = 2000; // elements looked at before the page gets its turn

  // What is written in an element, without the notes below a name.
  function own(element) {
    const copy = element.cloneNode(true);
    for (const note of copy.querySelectorAll("small")) note.remove();
    return copy.textContent;
  }

  function directoryPath(directory) {
    const name = own(directory.querySelector(":scope > summary > .name"));
    if (name.startsWith("/")) return name === "/" ? "" : name;
    return directoryPath(directory.parentElement.closest("details.directory")) + "/" + name;
  }

  function pathOf(element) {
    if (element.matches("details")) return directoryPath(element);
    const name = own(element.cells[0]);
    return name.startsWith("/") ? name : directoryPath(element.closest("details.directory")) + "/" + name;
  }

  function matches(element, wanted) {
    const text = element.matches("details") ? element.querySelector("summary > .name").textContent : element.textContent;
    if (text.toLowerCase().includes(wanted)) return true;
    return wanted.includes("/") && pathOf(element).toLowerCase().includes(wanted);
  }

  function hit(element) {
    const item = document.createElement("li");
    const link = document.createElement("a");
    link.href = "#" + element.id;
    link.textContent = pathOf(element);
    link.addEventListener("click", () => {
      for (let at = element; at; at = at.parentElement) if (at.matches("details")) at.open = true;
      // Once more when what was just opened has its real height.
      requestAnimationFrame(() => requestAnimationFrame(() => element.scrollIntoView({ block: "center" })));
    });
    const view = document.createElement("span");
    view.className = "holds";
    view.textContent = " " + element.closest("section.tree").querySelector("h4").firstChild.textContent.trim();
    item.append(link, view);
    return item;
  }

  function search(form, section) {
    const said = form.querySelector("p.hits");
    const list = form.querySelector("ol.hits");
    const input = form.querySelector("input");
    let elements = null;
    let turn = 0;

    function run() {
      const mine = ++turn;
      const wanted = input.value.trim().toLowerCase();
      list.replaceChildren();
      said.textContent = wanted ? "Searching …" : "";
      if (!wanted) return;
      elements ??= section.querySelectorAll("details.directory[id], tr[id]");
      let found = 0;
      let next = 0;
      (function slice() {
        if (mine !== turn) return;
        const end = Math.min(next + SLICE, elements.length);
        for (; next < end; next++) {
          if (matches(elements[next], wanted) && ++found <= MOST) list.append(hit(elements[next]));
        }
        if (next < elements.length) return void setTimeout(slice);
        const listed = found > MOST ? `, the first ${MOST} are listed` : "";
        said.textContent = `${found.toLocaleString("en")} of ${elements.length.toLocaleString("en")} entries match${listed}`;
      })();
    }

    let wait = 0;
    input.addEventListener("input", () => {
      clearTimeout(wait);
      wait = setTimeout(run, 150);
    });
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      run();
    });
    for (const [name, open] of [["data-open", true], ["data-close", false]]) {
      form.querySelector(`[${name}]`).addEventListener("click", () => {
        for (const each of section.querySelectorAll("details.directory[id]")) each.open = open;
      });
    }
    form.hidden = false;
  }

  for (const form of document.querySelectorAll("form.search")) search(form, form.closest("section.entries"));

  if (!CSS.supports("selector(::details-content)")) {
    let opened = [];
    addEventListener("beforeprint", () => {
      opened = [...document.querySelectorAll("details:not([open])")];
      for (const each of opened) each.open = true;
    });
    addEventListener("afterprint", () => {
      for (const each of opened) each.open = false;
    });
  }
})();

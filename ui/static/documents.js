// The views (#ask, #documents, #document/ID@start-end) and the documents page.
(() => {
  "use strict";
  const { $, $$, calm, fragment, t } = window.wenju;
  const DOCUMENT = /^#document\/([^@]+)(?:@(\d+)-(\d+))?$/;
  let wanted = 0;

  function show() {
    const found = DOCUMENT.exec(location.hash);
    const view = found || location.hash === "#documents" ? "documents" : "ask";
    document.body.dataset.view = view;
    document.body.toggleAttribute("data-document", Boolean(found));
    $$("[data-view-link]").forEach((link) => {
      if (link.dataset.viewLink === view) link.setAttribute("aria-current", "page");
      else link.removeAttribute("aria-current");
    });
    if (view === "documents") list();
    if (found) open(readable(found[1]), found[2], found[3]);
  }

  // What somebody typed after the # need not be well encoded.
  function readable(part) {
    try { return decodeURIComponent(part); } catch { return part; }
  }

  async function list() {
    const place = $("#wj-list");
    if (!place || place.dataset.ready) return;
    place.dataset.ready = (await fragment("", place)) ? "yes" : "";
  }

  async function open(id, start, end) {
    const place = $("#wj-document"), mine = ++wanted;
    const range = start ? `?start=${start}&end=${end}` : "";
    $$("#wj-list a").forEach((a) => a.classList.toggle("wj-open", a.hash === `#document/${id}`));
    const fresh = document.createElement("div");
    const found = await fragment(`/${encodeURIComponent(id)}${range}`, fresh);
    if (mine !== wanted) return;  // another document was asked for meanwhile
    place.replaceChildren(...fresh.childNodes);
    place.dataset.id = id;
    if (!found) return;
    const mark = $("mark", place);
    if (mark) mark.scrollIntoView({ block: "center" });
    else scrollTo(0, 0);
    $("h2", place).focus({ preventScroll: true });
  }

  function sift() {
    const words = $("#wj-filter").value.trim().toLowerCase().split(/\s+/);
    const fields = $$("#wj-list [data-filter]").filter((field) => field.value);
    let left = 0;
    for (const item of $$("#wj-list li")) {
      const fits = fields.every((field) => item.dataset[field.dataset.filter].split("、").includes(field.value));
      item.hidden = !(fits && words.every((word) => item.textContent.toLowerCase().includes(word)));
      left += item.hidden ? 0 : 1;
    }
    $("#wj-list [data-count]").textContent = left ? t("count").replace("{n}", left) : t("none_match");
  }

  document.addEventListener("input", (event) => { if (event.target.closest("#wj-list")) sift(); });
  document.addEventListener("click", (event) => {
    const hit = (selector) => event.target.closest(selector);
    let on;
    if ((on = hit("[data-section]"))) {
      event.preventDefault();  // the hash belongs to the views
      $(`#section-${on.dataset.section}`)?.scrollIntoView({ block: "start", behavior: calm() });
    } else if ((on = hit('a[href^="#"]'))) {
      event.preventDefault();  // Gradio's <base> would turn it into another page
      if (on.hasAttribute("data-skip")) $("#wj-box textarea").focus();
      else location.hash = on.getAttribute("href");
    }
  });
  addEventListener("hashchange", show);
  window.wenju.show = show;
})();

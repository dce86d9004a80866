// What every other script builds on: finding elements, the two languages, light and dark, what a screen reader is told.
// Events are delegated from the document, because Gradio redraws the conversation as it grows.
// Markup is only ever taken from our own server, which escapes it (ui/pages/escape.py); texts go in as text.
window.wenju = (() => {
  "use strict";
  const $ = (selector, root = document) => root.querySelector(selector);
  const $$ = (selector, root = document) => [...root.querySelectorAll(selector)];
  const calm = () => (matchMedia("(prefers-reduced-motion: reduce)").matches ? "auto" : "smooth");
  const narrow = () => matchMedia("(max-width: 900px)").matches;
  const say = (text) => { const live = $("#wj-say"); if (live) live.textContent = text; };

  // What a browser keeps. An iframe may be refused its storage: then things last as long as the page.
  const memory = new Map();
  const kept = {
    get(key) { try { return localStorage.getItem(key); } catch { return memory.get(key) ?? null; } },
    set(key, value) { memory.set(key, value); try { localStorage.setItem(key, value); return true; } catch { return false; } },
  };

  // ---------------------------------------------------------------- languages

  let words = null;
  const english = () => document.body.dataset.lang === "en";

  function t(key) {
    words ??= JSON.parse($("#wj-words").dataset.words);
    return words[key][english() ? 1 : 0];
  }

  const LABELS = ["aria-label", "title", "placeholder"];

  function relabel(root) {
    for (const name of LABELS) {
      for (const element of [root, ...$$(`[data-en-${name}]`, root)]) {
        if (!element.hasAttribute?.(`data-en-${name}`)) continue;
        if (!element.hasAttribute(`data-zh-${name}`)) element.setAttribute(`data-zh-${name}`, element.getAttribute(name));
        element.setAttribute(name, element.getAttribute(`data-${english() ? "en" : "zh"}-${name}`));
      }
    }
  }

  function relabelComposer() {
    const box = $("#wj-box textarea");
    if (!box) return;  // the administrators' page has none
    box.placeholder = t(narrow() ? "ask_placeholder_short" : "ask_placeholder");
    box.setAttribute("aria-label", t("ask_label"));
    const label = $('#wj-box [data-testid="block-info"]');
    if (label) label.textContent = t("ask_label");
    $("#wj-send").textContent = t("send");
    $("#wj-stop").textContent = t("stop");
  }

  function speak(language) {
    document.body.dataset.lang = language;
    document.documentElement.lang = language === "en" ? "en" : "zh-CN";
    relabel(document.body);
    relabelComposer();
    document.dispatchEvent(new Event("wenju:language"));
  }

  const arrivals = new MutationObserver((changes) => {
    if (!english()) return;
    for (const change of changes) for (const node of change.addedNodes) if (node.nodeType === 1) relabel(node);
  });

  // ---------------------------------------------------------------- light and dark

  function paint(theme) {
    if (theme) document.body.classList.toggle("dark", theme === "dark");
  }

  document.addEventListener("click", (event) => {
    if (event.target.closest("[data-language]")) {
      const language = english() ? "zh" : "en";
      kept.set("wenju.language", language);
      speak(language);
    } else if (event.target.closest("[data-theme-switch]")) {
      const theme = document.body.classList.contains("dark") ? "light" : "dark";
      kept.set("wenju.theme", theme);
      paint(theme);
    }
  });

  // ---------------------------------------------------------------- who has signed in, and the way out

  const person = $('meta[name="wenju-person"]');

  // Whoever's session has run out is shown how to sign in again, instead of a page where nothing happens any more.
  if (person) {
    try { sessionStorage.removeItem("wenju.signin"); } catch { /* refused in a frame: then it takes a click */ }  // see embed.js
    const plain = window.fetch;
    window.fetch = async (...request) => {
      const answer = await plain(...request);
      if (answer.status === 401) location.reload();
      return answer;
    };
  }

  function greet() {
    if (!person) return;
    $("[data-name]").textContent = person.content;
    $("[data-person]").hidden = false;
    const kind = person.dataset.identity, leave = $("[data-leave]");
    leave.hidden = kind === "header";  // the portal's own business
    leave.addEventListener("click", async () => {
      const left = await (kind === "oidc" ? fetch("./auth/logout", { method: "POST" }) : fetch("./api/v1/session", { method: "DELETE" }));
      if (kind === "oidc" && left.ok) location.assign((await left.json()).next);
      else location.reload();
    });
  }

  // ---------------------------------------------------------------- pieces of markup from our own server

  async function fragment(path, into, from = "./page/documents") {
    try {
      const answer = await fetch(`${from}${path}`);
      if (!answer.ok) throw new Error((await answer.json()).detail);
      into.innerHTML = await answer.text();
      return true;
    } catch (error) {
      const note = document.createElement("p");
      note.className = "wj-quiet";
      note.textContent = error instanceof TypeError ? t("offline") : error.message;
      into.replaceChildren(note);
      return false;
    }
  }

  function start() {
    arrivals.observe(document.body, { childList: true, subtree: true });
    paint(kept.get("wenju.theme"));
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => setTimeout(() => paint(kept.get("wenju.theme"))));
    speak(kept.get("wenju.language") === "en" ? "en" : "zh");
    greet();
  }

  return { $, $$, calm, narrow, say, kept, english, t, fragment, person: person?.content ?? "", start };
})();

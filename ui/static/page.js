// What happens between two questions: views, the source panel, the documents view, copying, feedback.
// Events are delegated from the document, because Gradio redraws the conversation as it grows.
// Markup is only ever taken from our own server, which escapes it (ui/pages/escape.py); texts go in as text.
(() => {
  "use strict";
  const $ = (selector, root = document) => root.querySelector(selector);
  const $$ = (selector, root = document) => [...root.querySelectorAll(selector)];
  const narrow = () => matchMedia("(max-width: 900px)").matches;
  const calm = () => (matchMedia("(prefers-reduced-motion: reduce)").matches ? "auto" : "smooth");
  const say = (text) => { const live = $("#wj-say"); if (live) live.textContent = text; };

  // ---------------------------------------------------------------- views: #ask, #documents, #document/ID@start-end

  const DOCUMENT = /^#document\/([^@]+)(?:@(\d+)-(\d+))?$/;

  function show() {
    const found = DOCUMENT.exec(location.hash);
    const view = found || location.hash === "#documents" ? "documents" : "ask";
    document.body.dataset.view = view;
    document.body.toggleAttribute("data-document", Boolean(found));
    $$("[data-view-link]").forEach((link) => {
      if (link.dataset.viewLink === view) link.setAttribute("aria-current", "page");
      else link.removeAttribute("aria-current");
    });
    if (view === "documents") listDocuments();
    if (found) openDocument(decodeURIComponent(found[1]), found[2], found[3]);
  }

  async function fragment(path, into) {
    try {
      const answer = await fetch(`./page/documents${path}`);
      if (!answer.ok) throw new Error((await answer.json()).detail);
      into.innerHTML = await answer.text();
      return true;
    } catch (error) {
      const note = document.createElement("p");
      note.className = "wj-quiet";
      note.textContent = error instanceof TypeError ? "连不上服务。请检查网络后重试。" : error.message;
      into.replaceChildren(note);
      return false;
    }
  }

  async function listDocuments() {
    const list = $("#wj-list");
    if (!list || list.dataset.ready) return;
    list.dataset.ready = (await fragment("", list)) ? "yes" : "";
  }

  let wanted = 0;

  async function openDocument(id, start, end) {
    const place = $("#wj-document"), mine = ++wanted;
    const range = start ? `?start=${start}&end=${end}` : "";
    $$("#wj-list a").forEach((a) => a.classList.toggle("wj-open", a.hash === `#document/${id}`));
    const fresh = document.createElement("div");
    const found = await fragment(`/${encodeURIComponent(id)}${range}`, fresh);
    if (mine !== wanted) return;  // another document was asked for meanwhile
    place.replaceChildren(...fresh.childNodes);
    place.dataset.id = id;
    if (found) {
      const mark = $("mark", place);
      if (mark) mark.scrollIntoView({ block: "center" });
      else { place.scrollTop = 0; scrollTo(0, 0); }
      $("h2", place).focus({ preventScroll: true });
    }
  }

  document.addEventListener("input", (event) => {
    if (event.target.id !== "wj-filter") return;
    const words = event.target.value.trim().toLowerCase().split(/\s+/);
    let left = 0;
    $$("#wj-list li").forEach((item) => {
      item.hidden = !words.every((word) => item.textContent.toLowerCase().includes(word));
      left += item.hidden ? 0 : 1;
    });
    const count = $("#wj-list [data-count]");
    if (count) count.textContent = left ? `${left} 份文件` : "没有符合的文件，请换个词筛选。";
  });

  // ---------------------------------------------------------------- the source panel

  let opener = null;

  function openSource(key) {
    const card = $(`[data-source="${CSS.escape(key)}"]`);
    const panel = $("#wj-panel");
    if (!card || !panel) return null;
    const copy = card.cloneNode(true);
    copy.removeAttribute("data-source");
    const sheet = $(".wj-sheet", panel);
    sheet.replaceChildren(copy);
    panel.dataset.now = key;
    panel.removeAttribute("data-empty");
    $("[data-place]", panel).textContent = card.dataset.place;
    $$("[data-step]", panel).forEach((step) => { step.disabled = !neighbour(key, Number(step.dataset.step)); });
    document.body.toggleAttribute("data-source-open", true);
    $$(".wj-cite").forEach((cite) => cite.classList.toggle("wj-open", cite.dataset.cite === key));
    const original = $(".wj-original", copy);
    const mark = $("mark", original);
    if (mark) original.scrollTop = mark.getBoundingClientRect().top - original.getBoundingClientRect().top - original.clientHeight / 4;
    return copy;
  }

  // Only what the reader asked for is read out; a source that opens by itself must not drown the answer.
  function visitSource(key, focus) {
    const copy = openSource(key);
    if (!copy) return;
    if (focus) $("h2", copy).focus({ preventScroll: true });
    say(`依据 ${$("#wj-panel [data-place]").textContent}：${$("h2", copy).textContent}`);
  }

  function neighbour(key, step) {
    const [turn, number] = key.split("-").map(Number);
    return $(`[data-source="${turn}-${number + step}"]`);
  }

  let hint = null;

  function emptyPanel() {
    const panel = $("#wj-panel");
    panel.setAttribute("data-empty", "");
    $("[data-place]", panel).textContent = "";
    $(".wj-sheet", panel).replaceChildren(hint);
    document.body.removeAttribute("data-source-open");
  }

  function closeSource() {
    document.body.removeAttribute("data-source-open");
    $$(".wj-cite.wj-open").forEach((cite) => cite.classList.remove("wj-open"));
    const back = opener && $(`[data-cite="${CSS.escape(opener)}"]`);
    if (back) back.focus();
  }

  // ---------------------------------------------------------------- copying and feedback

  async function copyText(text) {
    if (navigator.clipboard && window.isSecureContext) return navigator.clipboard.writeText(text);
    const area = document.createElement("textarea");  // plain http inside an office network has no clipboard API
    area.value = text;
    document.body.append(area);
    area.select();
    const done = document.execCommand("copy");
    area.remove();
    if (!done) throw new Error();
  }

  function told(button, text) {
    const before = button.textContent;
    button.textContent = text;
    say(text);
    setTimeout(() => { button.textContent = before; }, 2000);
  }

  function askWhy(button) {
    const actions = button.closest(".wj-actions");
    $("form", actions)?.remove();
    const form = document.createElement("form");
    const box = document.createElement("textarea");
    box.rows = 2;
    box.maxLength = 2000;
    box.placeholder = "哪里不对？可以不填";
    box.setAttribute("aria-label", "哪里不对");
    const send = document.createElement("button");
    send.textContent = "提交";
    form.append(box, send);
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      rate(button, box.value);
    });
    actions.append(form);
    box.focus();
  }

  async function rate(button, comment) {
    const actions = button.closest(".wj-actions");
    const citations = actions.dataset.places.split(" ").filter(Boolean).map((place) => {
      const [, id, start, end] = /^(.+)@(\d+)-(\d+)$/.exec(place);
      return { document_id: id, start: Number(start), end: Number(end) };
    });
    const turn = button.closest(".wj-turn"), asked = (one) => $(".wj-question", one).textContent;
    const turns = $$(".wj-turn");
    const body = {
      rating: button.dataset.rate, comment, citations, generation: actions.dataset.generation, question: asked(turn),
      answer: ($("pre", actions)?.textContent ?? "").slice(0, 20000),
      history: turns.slice(0, turns.indexOf(turn)).map(asked),
    };
    const note = document.createElement("span");
    note.className = "wj-noted";
    try {
      const answer = await fetch("./api/v1/feedback", {
        method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body),
      });
      if (!answer.ok) throw new Error((await answer.json()).detail);
      note.textContent = "已收到，谢谢。";
      $$("[data-rate]", actions).forEach((other) => { other.disabled = true; });
      button.setAttribute("aria-pressed", "true");
      $("form", actions)?.remove();
    } catch (error) {
      note.textContent = error instanceof TypeError ? "连不上服务，反馈没有送出。" : error.message;
    }
    $(".wj-noted", actions)?.remove();
    actions.append(note);
    say(note.textContent);
  }

  // ---------------------------------------------------------------- clicks and keys

  document.addEventListener("click", (event) => {
    const hit = (selector) => event.target.closest(selector);
    let on;
    if ((on = hit("button[data-cite]"))) {
      opener = on.dataset.cite;
      visitSource(opener, true);
    } else if ((on = hit("[data-step]"))) {
      const [turn, number] = $("#wj-panel").dataset.now.split("-").map(Number);
      visitSource(`${turn}-${number + Number(on.dataset.step)}`, false);
    } else if (hit("[data-close]")) {
      closeSource();
    } else if ((on = hit("[data-section]"))) {
      event.preventDefault();  // the hash belongs to the views
      $(`#section-${on.dataset.section}`)?.scrollIntoView({ block: "start", behavior: calm() });
    } else if ((on = hit('a[href^="#"]'))) {
      event.preventDefault();  // Gradio's <base> would turn it into another page
      location.hash = on.getAttribute("href");
    } else if ((on = hit("[data-copy]"))) {
      copyText($("pre", on.parentElement).textContent).then(() => told(on, "已复制"), () => told(on, "复制没有成功"));
    } else if ((on = hit("[data-rate]"))) {
      if (on.dataset.rate === "up") rate(on, "");
      else askWhy(on);
    }
  });

  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && document.body.hasAttribute("data-source-open")) closeSource();
  });

  // ---------------------------------------------------------------- following the conversation

  let told_of = "";

  function follow() {
    const turn = $("#wj-current .wj-turn");
    if (!turn) return;
    const now = `${turn.dataset.turn} ${turn.dataset.state} ${turn.dataset.say}`;
    if (now === told_of) return;
    const begun = told_of.split(" ")[0] !== turn.dataset.turn;
    told_of = now;
    say(turn.dataset.say);
    if (begun) {
      document.body.toggleAttribute("data-asked", true);
      emptyPanel();
      requestAnimationFrame(() => $("#wj-current").scrollIntoView({ block: "start" }));  // after the welcome has left
    }
    const first = `${turn.dataset.turn}-1`;
    if (turn.dataset.state === "answered" && !narrow() && $(`[data-source="${first}"]`)) openSource(first);
  }

  function start() {
    if (!$("#wj-current") || !$("#wj-panel") || !$("#wj-list")) return false;
    hint = $(".wj-sheet").firstElementChild;
    new MutationObserver(follow).observe($("#wj-current"), { childList: true, subtree: true });
    addEventListener("hashchange", show);
    show();
    return true;
  }

  const waiting = new MutationObserver(() => { if (start()) waiting.disconnect(); });
  if (!start()) waiting.observe(document.documentElement, { childList: true, subtree: true });
})();

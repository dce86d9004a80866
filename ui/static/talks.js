// One's own conversations: kept in this browser alone, found again, deleted. Nothing of them is stored on the server.
// Whoever signs in finds one's own only, also where several people use one browser.
(() => {
  "use strict";
  const { $, $$, kept, say, t } = window.wenju;
  const KEY = window.wenju.person ? `wenju.talks.${window.wenju.person}` : "wenju.talks", MOST = 100, TURNS = 40, CARRIED = 250_000, DAY = 86_400_000;
  let now = null;   // id of the conversation on the page
  let saved = 0;    // number of the last turn that is kept
  let handed = "[]";

  const all = () => { try { return JSON.parse(kept.get(KEY)) || []; } catch { return []; } };

  function put(talks) {
    let left = talks.slice(0, MOST);
    while (!kept.set(KEY, JSON.stringify(left)) && left.length > 1) left = left.slice(0, -1);
    draw();
  }

  function keep(number, record) {
    if (number <= saved) return;
    saved = number;
    const talks = all();
    const at = talks.findIndex((talk) => talk.id === now);
    const talk = at < 0 ? { id: crypto.getRandomValues(new Uint32Array(2)).join("-"), turns: [] } : talks.splice(at, 1)[0];
    now = talk.id;
    talk.at = Date.now();
    talk.turns = [...talk.turns, record].slice(-TURNS);
    put([talk, ...talks]);
  }

  function open(talk) {
    if (document.body.hasAttribute("data-busy")) return say(t("busy"));
    now = talk?.id ?? null;
    let turns = talk?.turns ?? [];
    while (turns.length > 1 && JSON.stringify(turns).length > CARRIED) turns = turns.slice(1);
    saved = turns.length;
    handed = JSON.stringify(turns);
    document.body.removeAttribute("data-history");
    location.hash = "#ask";
    window.wenju.restored = true;
    $("#wj-restore").click();
    draw();
    if (!talk) $("#wj-box textarea").focus();
  }

  function group(at) {
    const midnight = new Date().setHours(0, 0, 0, 0);
    if (at >= midnight) return "today";
    if (at >= midnight - DAY) return "yesterday";
    return at >= midnight - 6 * DAY ? "week" : "earlier";
  }

  const title = (talk) => talk.turns[0].question;

  function item(talk) {
    const line = document.createElement("li");
    const link = document.createElement("button");
    link.type = "button";
    link.dataset.talk = talk.id;
    link.textContent = title(talk);
    link.lang = "zh-CN";
    if (talk.id === now) link.setAttribute("aria-current", "true");
    const gone = document.createElement("button");
    gone.type = "button";
    gone.dataset.forget = talk.id;
    gone.textContent = "✕";
    gone.setAttribute("aria-label", `${t("forget")}：${title(talk)}`);
    line.append(link, gone);
    return line;
  }

  function draw() {
    const place = $("#wj-talks");
    if (!place) return;
    const wanted = $("#wj-find").value.trim().toLowerCase().split(/\s+/);
    const text = (talk) => talk.turns.map((turn) => `${turn.question} ${turn.answer.answer}`).join(" ").toLowerCase();
    const talks = all();
    const found = talks.filter((talk) => wanted.every((word) => text(talk).includes(word)));
    const groups = new Map();
    for (const talk of found) groups.set(group(talk.at), [...(groups.get(group(talk.at)) ?? []), talk]);
    const out = [...groups].flatMap(([name, members]) => {
      const head = document.createElement("h2"), list = document.createElement("ul");
      head.textContent = t(name);
      list.append(...members.map(item));
      return [head, list];
    });
    if (!out.length) {
      const note = document.createElement("p");
      note.className = "wj-quiet";
      note.textContent = t(talks.length ? "not_found" : "no_history");
      out.push(note);
    }
    place.replaceChildren(...out);
    $("#wj-history .wj-note").hidden = !talks.length;
    $("#wj-find").hidden = !talks.length;
  }

  document.addEventListener("click", (event) => {
    const hit = (selector) => event.target.closest(selector);
    let on;
    if ((on = hit("[data-talk]"))) open(all().find((talk) => talk.id === on.dataset.talk));
    else if (hit("[data-new]")) open(null);
    else if ((on = hit("[data-forget]"))) {
      put(all().filter((talk) => talk.id !== on.dataset.forget));
      if (now === on.dataset.forget) open(null);
    } else if (hit("[data-forget-all]") && confirm(t("sure"))) {
      put([]);
      open(null);
    } else if ((on = hit("[data-history]"))) {
      const shown = document.body.toggleAttribute("data-history");
      on.setAttribute("aria-expanded", shown);
      if (shown) $("#wj-history .wj-newtalk").focus();
    } else if (document.body.hasAttribute("data-history") && !hit("#wj-history")) document.body.removeAttribute("data-history");
  });

  document.addEventListener("input", (event) => { if (event.target.id === "wj-find") draw(); });
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || !document.body.hasAttribute("data-history")) return;
    document.body.removeAttribute("data-history");
    $$("[data-history]").forEach((button) => { button.setAttribute("aria-expanded", "false"); button.focus?.(); });
  });
  document.addEventListener("wenju:language", draw);
  addEventListener("storage", (event) => { if (event.key === KEY) draw(); });

  window.wenju.keep = keep;
  window.wenju.restoring = (_, talk) => [handed, talk];
})();

// What one does with an answer: copying, taking it away as Word, printing, saying what one thinks of it.
(() => {
  "use strict";
  const { $, $$, say, t } = window.wenju;

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

  // On the button when it worked, in full beneath the row when it did not.
  function told(button, text) {
    const before = [...button.childNodes];
    if (button.dataset.told) return;
    button.dataset.told = "yes";
    button.replaceChildren(text);
    say(text);
    setTimeout(() => { button.replaceChildren(...before); delete button.dataset.told; }, 2000);
  }

  function note(actions, text) {
    $(".wj-noted", actions)?.remove();
    const line = document.createElement("span");
    line.className = "wj-noted";
    line.textContent = text;
    actions.append(line);
    say(text);
  }

  async function post(path, body) {
    const answer = await fetch(path, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) });
    if (!answer.ok) throw new Error((await answer.json()).detail);
    return answer;
  }

  const recordOf = (element) => JSON.parse($("[data-record]", element.closest(".wj-turn")).textContent);

  async function word(button) {
    const { answer, question } = recordOf(button);
    try {
      const file = await (await post("./api/v1/export", { answer, format: "docx" })).blob();
      const link = document.createElement("a");
      link.href = URL.createObjectURL(file);
      link.download = `${question.replace(/[\\/:*?"<>|？\s]+/g, " ").trim().slice(0, 40) || "answer"}.docx`;
      link.click();
      setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
      told(button, t("saved"));
    } catch (error) {
      note(button.closest(".wj-actions"), error instanceof TypeError ? t("offline") : error.message);
    }
  }

  function copy(button, kind) {
    const text = $(`pre[data-${kind}]`, button.closest(".wj-actions")).textContent;
    copyText(text).then(() => told(button, t("copied")), () => told(button, t("copy_failed")));
  }

  function printTurn(button) {
    const turn = button.closest(".wj-turn");
    turn.toggleAttribute("data-printing", true);
    document.body.toggleAttribute("data-print-one", true);
    window.print();
    turn.removeAttribute("data-printing");
    document.body.removeAttribute("data-print-one");
  }

  // ---------------------------------------------------------------- feedback

  function element(name, properties, ...children) {
    const made = Object.assign(document.createElement(name), properties);
    made.append(...children);
    return made;
  }

  function askWhy(button) {
    const actions = button.closest(".wj-actions");
    $("form", actions)?.remove();
    const box = element("textarea", { rows: 2, maxLength: 2000, placeholder: t("why_hint") });
    box.setAttribute("aria-label", t("why"));
    const cancel = element("button", { type: "button", textContent: t("cancel") });
    const form = element("form", {});
    if (button.dataset.rate === "wrong_citation") {
      const boxes = places(actions).map((_, n) => element("label", {}, element("input", { type: "checkbox", value: n }), ` ${n + 1}`));
      form.append(element("fieldset", {}, element("legend", { textContent: t("which") }), ...boxes));
    }
    form.append(box, element("span", { className: "wj-row" }, element("button", { textContent: t("submit") }), cancel));
    const leave = () => { form.remove(); button.focus(); };
    cancel.addEventListener("click", leave);
    form.addEventListener("keydown", (event) => { if (event.key === "Escape") leave(); });
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      const marked = $$("input:checked", form).map((input) => places(actions)[input.value]);
      rate(button, box.value, marked);
    });
    actions.append(form);
    box.focus();
  }

  const places = (actions) => actions.dataset.places.split(" ").filter(Boolean).map((place) => {
    const [, id, start, end] = /^(.+)@(\d+)-(\d+)$/.exec(place);
    return { document_id: id, start: Number(start), end: Number(end) };
  });

  async function rate(button, comment, marked = []) {
    const actions = button.closest(".wj-actions"), turn = button.closest(".wj-turn"), turns = $$(".wj-turn");
    const asked = (one) => $(".wj-question", one).textContent;
    const body = {
      rating: button.dataset.rate, comment, citations: marked.length ? marked : places(actions),
      generation: actions.dataset.generation, question: asked(turn),
      answer: $("pre[data-text]", actions).textContent.slice(0, 20_000), history: turns.slice(0, turns.indexOf(turn)).map(asked),
    };
    try {
      await post("./api/v1/feedback", body);
      $$("[data-rate]", actions).forEach((other) => { other.disabled = true; });
      button.setAttribute("aria-pressed", "true");
      $("form", actions)?.remove();
      note(actions, t("thanks"));
    } catch (error) {
      note(actions, error instanceof TypeError ? t("feedback_offline") : error.message);
    }
  }

  document.addEventListener("click", (event) => {
    const hit = (selector) => event.target.closest(selector);
    let on;
    if ((on = hit("[data-copy]"))) copy(on, "text");
    else if ((on = hit("[data-copy-markdown]"))) copy(on, "markdown");
    else if ((on = hit("[data-word]"))) word(on);
    else if ((on = hit("[data-print]"))) printTurn(on);
    else if ((on = hit("[data-rate]"))) {
      if (on.dataset.rate === "up") rate(on, "");
      else askWhy(on);
    }
  });
})();

// The administrators' page: its parts come from the server as they are asked for; what is done goes to /api/v1/admin.
(() => {
  "use strict";
  const { $, $$, fragment, kept, start, t } = window.wenju;
  const API = "./api/v1/admin", PARTS = ["files", "index", "feedback", "usage", "audit"];
  const filled = (key, values) => t(key).replace(/\{(\w+)\}/g, (_, name) => values[name]);

  // ---------------------------------------------------------------- parts

  let wanted = 0;

  async function show() {
    const [path, query] = (location.hash.slice(1) || "files").split("?");
    const part = path.split("/")[0] === "file" ? "files" : path;
    const mine = ++wanted, fresh = document.createElement("div");
    if (!PARTS.includes(part)) return;
    $("main").dataset.part = part;
    $$("[data-pane]").forEach((tab) => {
      if (tab.dataset.pane === part) tab.setAttribute("aria-current", "page");
      else tab.removeAttribute("aria-current");
    });
    await fragment(`/${path}${query ? `?${query}` : ""}`, fresh, "./page/admin");
    if (mine === wanted) $("#adm-pane").replaceChildren(...fresh.childNodes);
  }

  function tell(text, bad) {
    const note = $("#adm-note");
    note.toggleAttribute("data-bad", Boolean(bad));
    note.textContent = text;
  }

  async function call(method, path, body, type = "application/json") {
    try {
      const content = body === undefined ? {} : { body: type === "application/json" ? JSON.stringify(body) : body, headers: { "Content-Type": type } };
      const answer = await fetch(API + path, { method, ...content });
      const said = answer.status === 204 ? {} : await answer.json();
      return answer.ok ? { said } : { error: said.detail };
    } catch {
      return { error: t("offline") };
    }
  }

  // ---------------------------------------------------------------- work that takes its time

  async function watch(begun) {
    await fragment("", $("#adm-job"), "./page/admin/job");
    if ($("#adm-job [data-job]")?.dataset.job !== "running") {
      if (begun) show();  // it was over before we could look
      return;
    }
    const events = new EventSource(`${API}/job`);
    events.addEventListener("job", async (event) => {
      const job = JSON.parse(event.data);
      if (job.state === "running") return progress(job);
      events.close();
      await fragment("", $("#adm-job"), "./page/admin/job");
      show();
    });
    events.onerror = () => { const told = $("[data-told]"); if (told) told.textContent = t("lost"); };
  }

  function progress({ progress: at, rate, left }) {
    const told = $("[data-told]"), bar = $("#adm-job progress");
    if (!at || !told) return;
    bar.max = at.to_read_bytes || at.total || 1;
    bar.value = at.to_read_bytes ? at.read_bytes : at.done;
    const parts = [t(at.stage), filled("of", at)];
    if (at.passages) parts.push(filled("passages", { n: at.passages }));
    if (rate !== null) parts.push(filled("rate", { n: rate.toFixed(1) }));
    if (left !== null) parts.push(filled("left", { n: Math.ceil(left) }));
    told.textContent = `${parts.join(" · ")}　${at.source}`;
  }

  async function begin(method, path, body) {
    tell("");
    const { error } = await call(method, path, body);
    if (error) tell(error, true);
    else await watch(true);
  }

  // ---------------------------------------------------------------- uploads

  let replaced = "";

  async function upload(files, replaces = "") {
    const list = $("#adm-taken"), taken = [];
    list.replaceChildren();
    for (const [number, file] of [...files].entries()) {
      tell(filled("uploading", { n: number + 1, all: files.length, name: file.name }));
      const query = replaces ? `?replaces=${encodeURIComponent(replaces)}` : "";
      const most = Number($("#adm-version").dataset.most);
      const { said, error } = file.size > most ? { error: t("too_big") } : await call("PUT", `/uploads/${encodeURIComponent(file.name)}${query}`, file, "application/octet-stream");
      const line = document.createElement("li");
      line.classList.toggle("adm-bad", Boolean(error));
      const more = said?.refused.length ? `　${t("refused")}${said.refused.join("；")}` : "";
      line.textContent = error ? `${t("refused")}${file.name}　${error}` : `${t("taken")}${said.name}　${said.titles.join("、")}${more}`;
      list.append(line);
      if (said) taken.push(said.name);
    }
    if (taken.length) await begin("POST", "/index", { files: taken, withdraw: replaces ? [replaces] : [] });
    else tell(t("nothing_taken"), true);
  }

  document.addEventListener("change", (event) => {
    const files = event.target.files;
    if (!files?.length) return;
    const own = [...files];
    event.target.value = "";
    if (event.target.id === "adm-files") upload(own);
    if (event.target.id === "adm-version") upload(own, replaced);
  });
  for (const kind of ["dragover", "dragleave", "drop"]) {
    document.addEventListener(kind, (event) => {
      const place = event.target.closest?.("[data-drop]");
      if (event.dataTransfer?.types.includes("Files")) event.preventDefault();  // a file let go beside it must not open
      $("[data-drop]")?.toggleAttribute("data-over", Boolean(place) && kind === "dragover");
      if (place && kind === "drop") upload([...event.dataTransfer.files]);
    });
  }

  // ---------------------------------------------------------------- buttons and forms

  function sure(dialog, name) {
    $("[data-name]", dialog).textContent = name;
    dialog.returnValue = "";
    dialog.showModal();
    return new Promise((answer) => dialog.addEventListener("close", () => answer(dialog.returnValue === "go"), { once: true }));
  }

  const ACTS = {
    reindex: () => begin("POST", "/index", {}),
    check: () => begin("POST", "/check", { confirm: true }),
    restore: ({ name }) => begin("POST", "/index", { files: [name] }),
    replace: ({ id }) => { replaced = id; $("#adm-version").click(); },
    async out({ id, name }) {
      const dialog = $("#adm-out");
      $('[value="withdraw"]', dialog).checked = true;
      if (await sure(dialog, name)) begin("POST", `/documents/${encodeURIComponent(id)}/${$("[name=way]:checked", dialog).value}`, { confirm: true });
    },
    async discard({ name }) {
      if (!await sure($("#adm-discard"), name)) return;
      const { error } = await call("DELETE", `/uploads/${encodeURIComponent(name)}`);
      tell(error ?? t("saved"), error);
      show();
    },
  };

  const lines = (text) => text.split("\n").map((line) => line.trim()).filter(Boolean);

  document.addEventListener("click", (event) => {
    const act = event.target.closest("[data-act]");
    if (act) ACTS[act.dataset.act](act.dataset);
    if (event.target.closest("[data-skip]")) { event.preventDefault(); $("#adm-pane").focus(); }
  });
  document.addEventListener("submit", async (event) => {
    const { go, correct, decide } = event.target.dataset;
    if (go || correct || decide) event.preventDefault();
    if (go) location.hash = `${go}?${new URLSearchParams([...new FormData(event.target)].filter(([, value]) => value))}`;
    if (correct) {
      const values = $$("[name]", event.target).map((box) => [box.name, "list" in box.dataset ? lines(box.value) : box.value.trim()]);
      begin("PUT", `/documents/${encodeURIComponent(correct)}/corrections`, Object.fromEntries(values));
    }
    if (decide) {
      const body = { decision: event.submitter.value, quotes: event.submitter.value === "accept" ? lines(event.target.elements.quotes.value) : [] };
      const { error } = await call("POST", `/feedback/${encodeURIComponent(decide)}`, body);
      tell(error ?? t("saved"), error);
      if (!error) show();
    }
  });
  addEventListener("hashchange", () => {
    tell("");
    $("#adm-taken").replaceChildren();
    show();
  });

  const dark = matchMedia("(prefers-color-scheme: dark)");
  const follow = () => document.body.classList.toggle("dark", kept.get("wenju.theme") ? kept.get("wenju.theme") === "dark" : dark.matches);
  dark.addEventListener("change", follow);
  follow();
  start();
  show();
  watch();
})();

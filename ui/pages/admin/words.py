"""What the administrators' page says, in Chinese and in English. See `ui.pages.words`."""

from ui.pages.words import Word

TITLE = "管理 · 文据"
SKIP = Word("跳到内容", "Skip to the content")
PARTS = Word("管理的内容", "Parts of the administration")
PANES = {
    "files": Word("文件", "Documents"), "index": Word("索引", "Index"), "feedback": Word("反馈", "Feedback"),
    "usage": Word("用量", "Usage"), "audit": Word("审计", "Audit"),
}
LOADING = Word("正在读取……", "Loading…")

# ---------------------------------------------------------------- files

UPLOAD = Word("上传文件", "Upload documents")
DROP = Word("把文件拖到这里，或", "Drop files here, or")
CHOOSE = Word("选择文件", "choose files")
UPLOAD_NOTE = Word("可以一次选多份，每份最大 {most} MB：{kinds}。读得出来才收下，收下后立即编入。",
                   "Several at once, up to {most} MB each: {kinds}. What cannot be read is refused; the rest is indexed at once.")
LOOSE, LOOSE_NOTE = Word("没有编入的文件", "Files that are not indexed"), Word("已撤下、读不出来，或还没有编入。", "Withdrawn, unreadable, or not indexed yet.")
BRING_BACK, DISCARD = Word("编入", "Index"), Word("删除", "Delete")
BRING_BACK_OF, DISCARD_OF = Word("编入“{name}”", "Index “{name}”"), Word("删除“{name}”", "Delete “{name}”")
WITHDRAWN = Word("不在索引里（已撤下或还没有编入）", "Not in the index (withdrawn or not indexed yet)")
FIND = Word("标题、单位、文号、来源", "Title, office, number, source")
SEARCH = Word("查找", "Search")
DOCUMENTS = Word("索引里的文件", "Documents in the index")
NONE_FITS = Word("没有符合的文件。", "No document fits.")
REPLACE, WITHDRAW, CORRECT = Word("换新版", "New version"), Word("撤下……", "Withdraw…"), Word("更正信息", "Correct")
REPLACE_OF, WITHDRAW_OF, CORRECT_OF = Word("给“{name}”换新版", "New version of “{name}”"), Word("撤下“{name}”", "Withdraw “{name}”"), Word("更正“{name}”的信息", "Correct “{name}”")
NAME, ISSUED, VALIDITY, SEEN_BY, ACTIONS = Word("文件", "Document"), Word("日期", "Date"), Word("效力", "Validity"), Word("谁能看", "Visible to"), Word("操作", "Actions")
EVERYBODY = Word("所有人", "Everybody")
CORRECTED = Word("有更正", "Corrected")
OLDER, NEWER, PAGE = Word("下一页", "Next"), Word("上一页", "Previous"), Word("第 {page} 页", "Page {page}")
COUNT = Word("共 {count} 份", "{count} in all")

# ---------------------------------------------------------------- the two ways of taking a document out

SURE = Word("撤下，还是彻底清除？", "Withdraw, or clear away?")
WAYS = Word("怎样撤", "How")
JUST_WITHDRAW = Word("撤下", "Withdraw")
JUST_WITHDRAW_NOTE = Word("不再用来回答，也搜不到。原文件还在，随时可以恢复；备份和记录里的引文不动。",
                          "It answers nothing and cannot be found any more. The file stays and can be brought back at any time; backups and records are not touched.")
PURGE = Word("彻底清除", "Clear away")
PURGE_NOTE = Word("连同上传的原件、备份、反馈和审计记录里的引文一起删去，再逐句查证没有残留。不能恢复。",
                  "The uploaded file, backups holding it, and its words in feedback and audit records go too; then every sentence is searched for. It cannot be undone.")
GO_ON, CANCEL = Word("确定", "Go on"), Word("取消", "Cancel")
SURE_DISCARD = Word("删除上传的文件？删了就找不回来了。", "Delete the uploaded file? It cannot be brought back.")

# ---------------------------------------------------------------- corrections

BACK = Word("返回文件列表", "Back to the documents")
CORRECT_NOTE = Word("填了的项以这里为准，回答和检索都用它；留空则以原文为准。更正写在原文件旁边，重新编入也不会丢。多个值每行一个。",
                    "What is filled in here counts, in answers and search alike; left empty, the document's own words count. Corrections lie beside the file and survive indexing. Several values: one a line.")
SAVE = Word("保存并编入", "Save and index")
PROOF = Word("原文：", "The document says: ")
PROVE = Word("看原文怎么写", "See where it says so")
NOT_FOUND = Word("原文里没有找到", "Not found in the document")
NOW = Word("现在：", "Now: ")
SET_BY, SET_BY_HAND = Word("{who} 于 {at} 更正", "Set by {who}, {at}"), Word("更正文件里手工写的", "Written into the sidecar by hand")
FIELDS = {
    "title": Word("标题", "Title"), "issuer": Word("发文机关", "Issued by"), "document_number": Word("文号", "Number"),
    "issued_on": Word("成文日期", "Dated"), "addressees": Word("主送机关", "Addressed to"), "status": Word("效力", "Validity"),
    "status_reason": Word("效力的理由", "Why"), "groups": Word("谁能看（组名）", "Visible to (groups)"),
}
AS_COMPUTED = Word("以原文为准", "As the document says")
STATUS_NOTE = Word("改效力要同时写明理由，例如：被某民发〔2024〕2号替代。", "A change of validity needs a reason.")
GROUPS_NOTE = Word("留空则所有人都能看。", "Empty: everybody.")

# ---------------------------------------------------------------- work and index

JOBS = {
    "index": Word("编入", "Indexing"), "withdraw": Word("撤下", "Withdrawing"), "purge": Word("彻底清除", "Clearing away"),
    "correct": Word("更正", "Correcting"), "check": Word("检查索引", "Checking the index"),
}
RUNNING, DONE, FAILED = Word("正在进行……", "under way…"), Word("完成", "done"), Word("没有完成：", "failed: ")
TOOK = Word("用时 {seconds} 秒", "took {seconds} s")
REPORT = {
    "new": Word("新增", "New"), "changed": Word("变更", "Changed"), "unchanged": Word("未变", "Unchanged"), "removed": Word("移除", "Removed"),
    "duplicate": Word("重复", "Duplicates"), "failed": Word("失败", "Failed"), "withdrawn": Word("不编入（已撤下）", "Left out (withdrawn)"),
}
SAME_AS = Word("与 {kept} 内容相同", "same as {kept}")
AND_MORE = Word("等", "and more")
NOW_HELD = Word("现有文件 {documents} 份，段落 {passages} 个；本次计算向量 {embedded} 个，沿用 {reused} 个。",
                "{documents} documents, {passages} passages; {embedded} embedded now, {reused} taken over.")
CLEARED = Word("逐句查证：{sentences} 句，查了 {files} 个文件，残留 {found} 处。", "Searched for {sentences} sentences in {files} files: {found} traces left.")
NO_FAULT, FAULTS = Word("索引完好。", "The index is whole."), Word("发现 {count} 个问题：", "{count} problems:")
HEALTH = Word("索引状况", "State of the index")
REINDEX, CHECK = Word("重新编入所有文件夹", "Index all folders again"), Word("检查索引", "Check the index")
REINDEX_NOTE = Word("没变的文件不重新计算。", "Unchanged files are not computed again.")
GENERATION, MODEL, PASSAGES, ON_DISK = Word("版本", "Generation"), Word("向量模型", "Embedding model"), Word("段落", "Passages"), Word("占用磁盘", "On disk")
FREE, KEPT, FOLDERS = Word("{free} 可用", "{free} free"), Word("保留 {count} 个版本", "{count} generations kept"), Word("已收录的文件夹", "Indexed folders")
ABSENT = Word("{name}（现在不在，其中的文件未动）", "{name} (not there now; its documents are left alone)")
OUT = Word("已撤下", "Withdrawn")
LAST_CHECK, NOT_CHECKED = Word("上次检查", "Last check"), Word("启动以来还没有检查过", "Not checked since the service started")
NOT_READ, ALL_READ = Word("读不出来的文件", "Files that cannot be read"), Word("没有读不出来的文件。", "Every file could be read.")
REASON, SOURCE = Word("原因", "Why"), Word("来源", "Source")

# ---------------------------------------------------------------- feedback

NO_FEEDBACK = Word("没有待处理的反馈。读者点“没帮助”或“引文有误”后会出现在这里。", "Nothing waits. What readers mark as “not helpful” or “wrong quote” appears here.")
RATINGS = {"down": Word("没帮助", "Not helpful"), "wrong_citation": Word("引文有误", "Wrong quote"), "up": Word("有帮助", "Helpful")}
READER, ANSWERED, CITED = Word("读者说：", "The reader: "), Word("当时的回答", "The answer given"), Word("当时的引文", "Quotes given")
BEFORE = Word("此前问：", "Asked before: ")
GONE = Word("（文件已不在索引里）", "(the document is gone)")
GOLD = Word("正确的依据（照抄原文，每行一句；留空表示“文件里没有答案”）", "The right evidence (copied from a document, one sentence a line; empty: no document answers it)")
ACCEPT, DISMISS = Word("收进候选题集", "Take into the candidate questions"), Word("不收", "Dismiss")
ACCEPT_NOTE = Word("候选题集是 WENJU_HOME/sets/feedback.jsonl，可在“评测”页运行。", "The set is WENJU_HOME/sets/feedback.jsonl; run it on the evaluation page.")

# ---------------------------------------------------------------- audit

KINDS = {"": Word("全部", "All"), "ask": Word("提问", "Questions"), "search": Word("检索", "Searches"), "read": Word("阅读", "Reading"), "admin": Word("管理", "Administration")}
FIND_ENTRY = Word("姓名、问题、文件编号、请求编号", "Name, question, document or request id")
KIND, SINCE, UNTIL = Word("操作", "What"), Word("从（UTC）", "From (UTC)"), Word("到（UTC）", "To (UTC)")
EXPORT = Word("导出 CSV", "Export CSV")
TIME, WHO, WHAT, RESULT, CITED_DOCUMENTS = Word("时间（UTC）", "Time (UTC)"), Word("用户", "Who"), Word("内容", "What"), Word("结果", "Result"), Word("涉及的文件", "Documents")
NOBODY = Word("未具名", "Unnamed")
NO_ENTRY = Word("没有符合的记录。", "No entry fits.")
STATUS = {
    "answered": Word("已答", "Answered"), "no_evidence": Word("没有依据", "No evidence"), "clarify": Word("反问", "Asked back"), "stopped": Word("中途停止", "Stopped"),
    "found": Word("有结果", "Found"), "shown": Word("已显示", "Shown"), "allowed": Word("允许", "Allowed"), "refused": Word("拒绝", "Refused"),
    "done": Word("完成", "Done"), "failed": Word("失败", "Failed"),
}

# ---------------------------------------------------------------- usage

DAYS, PERIOD = Word("最近 {days} 天", "Last {days} days"), Word("时段", "Period")
NO_USAGE = Word("这段时间还没有人提问。", "Nobody has asked anything in this period.")
QUESTIONS, PEOPLE, REFUSED, MEDIAN = Word("提问", "Questions"), Word("提问的人", "People"), Word("没有依据的占比", "Without evidence"), Word("用时中位数（毫秒）", "Median time (ms)")
PER_DAY, REFUSED_PER_DAY, LATENCY = Word("每天的提问", "Questions a day"), Word("每天没有依据的占比", "Share without evidence, by day"), Word("回答用时（毫秒）", "Time of an answer (ms)")
MOST_ASKED, UNANSWERED = Word("问得最多的", "Asked most"), Word("没有找到依据的问题", "Questions without evidence")
QUESTION, TIMES, LAST = Word("问题", "Question"), Word("次数", "Times"), Word("最近一次", "Last")
AS_TABLE, DATE = Word("看数字", "As a table"), Word("日期", "Date")
PERCENTILES = {"p50": Word("一半", "Half"), "p95": Word("95%", "95%"), "p99": Word("99%", "99%")}

SCRIPT = {
    "uploading": Word("正在上传 {n}/{all}：{name}", "Uploading {n}/{all}: {name}"),
    "refused": Word("没有收下：", "Refused: "), "taken": Word("已收下：", "Taken: "), "too_big": Word("比上限大。请拆分后再上传。", "It is over the limit. Divide it."), "nothing_taken": Word("没有收下任何文件。", "Nothing was taken."),
    "scan": Word("查看文件", "Looking at files"), "build": Word("编入文件", "Indexing files"), "publish": Word("写入索引", "Writing the index"),
    "of": Word("{done}/{total} 份", "{done}/{total} files"), "passages": Word("段落 {n}", "{n} passages"),
    "rate": Word("{n} 段/秒", "{n} passages/s"), "left": Word("约剩 {n} 秒", "about {n} s left"),
    "saved": Word("已处理。", "Done."), "lost": Word("连接断了，正在重试。", "The connection was lost; trying again."),
}

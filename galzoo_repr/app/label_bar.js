// What is asked, and free tags with completion, for the galaxy in focus or for all that are selected.
//
// Python sends what is known (`state`, `about`, `said`, `focus`) and is told what a person wants (`ask`, `only`, `tag`,
// `many`, `leave`). Tags and names are only ever set as textContent or as the value of an input.

const MOST = 8 // tags that are proposed at once

class LabelBar {
  constructor(model) {
    this.model = model
    this.known = []
    this.proposed = []
    this.at = -1
    this.build()
    model.on("msg:custom", (message) => this.receive(message))
  }

  build() {
    this.root = make("div", "asked")
    this.root.dataset.lmSuppressShortcuts = "true"
    this.said = make("p", "said")
    this.said.setAttribute("role", "status")
    this.root.append(this.question(), this.tags(), this.said)
  }

  labelled(text, control) {
    const label = make("label", "", text)
    label.append(control)
    return label
  }

  input(name, placeholder, size) {
    const input = make("input")
    Object.assign(input, { type: "text", name, placeholder, size, autocomplete: "off", spellcheck: false, maxLength: 400 })
    return input
  }

  // --- what is asked -----------------------------------------------------------------------------------------------

  question() {
    const form = make("form", "question")
    form.setAttribute("aria-label", "What is asked of each galaxy")
    this.column = this.input("column", "ring", 12)
    this.columns = make("datalist")
    this.columns.id = "columns"
    this.column.setAttribute("list", "columns")
    this.answers = this.input("answers", "yes, no", 24)
    this.only = make("select")
    this.only.name = "only"
    this.only.append(new Option("those that teach most", "queue"), new Option("those selected", "selected"))
    const button = make("button", "", "Label")
    button.type = "submit"
    form.append(
      this.labelled("Label column", this.column), this.columns, this.labelled("Answers", this.answers), button,
      this.labelled("Galaxies", this.only),
    )
    // A column that is known brings its answers along.
    this.column.addEventListener("change", () => {
      const known = this.questions?.[this.column.value.trim()]
      if (known) this.answers.value = known.join(", ")
    })
    form.addEventListener("submit", (event) => {
      event.preventDefault()
      this.model.send_msg({ kind: "ask", column: this.column.value, answers: this.answers.value })
    })
    this.only.addEventListener("change", () => this.model.send_msg({ kind: "only", selected: this.only.value === "selected" }))
    form.addEventListener("keydown", (event) => { if (event.key === "Escape") this.model.send_msg({ kind: "leave" }) })
    return form
  }

  // --- tags --------------------------------------------------------------------------------------------------------

  tags() {
    const box = make("div", "tags")
    this.tag = this.input("tag", "tag (t)", 18)
    this.tag.setAttribute("role", "combobox")
    for (const [name, value] of [["label", "Tag: type, arrows choose, Enter gives, Escape goes back"], ["expanded", "false"],
      ["autocomplete", "list"], ["controls", "proposals"]]) this.tag.setAttribute(`aria-${name}`, value)
    this.list = make("ul", "proposals")
    this.list.id = "proposals"
    this.list.setAttribute("role", "listbox")
    this.list.hidden = true
    this.many = make("input")
    this.many.type = "checkbox"
    this.many.name = "many"
    this.manyText = make("span", "", "all selected")
    const many = make("label", "many")
    many.append(this.many, this.manyText)
    this.chips = make("div", "chips")
    this.chips.setAttribute("role", "list")
    this.chips.setAttribute("aria-label", "Tags")
    const holder = make("span", "combo")
    holder.append(this.tag, this.list)
    this.whose = make("span", "of")
    box.append(holder, many, this.whose, this.chips)
    this.many.addEventListener("change", () => this.model.send_msg({ kind: "many", value: this.many.checked }))
    this.tag.addEventListener("input", () => this.propose())
    this.tag.addEventListener("keydown", (event) => this.keydown(event))
    this.tag.addEventListener("blur", () => { this.list.hidden = true })
    return box
  }

  propose() {
    const typed = this.tag.value.trim().toLowerCase()
    const starts = this.known.filter((tag) => tag.toLowerCase().startsWith(typed))
    const holds = this.known.filter((tag) => !starts.includes(tag) && tag.toLowerCase().includes(typed))
    this.proposed = typed ? [...starts, ...holds].slice(0, MOST) : []
    this.at = -1
    this.list.replaceChildren(...this.proposed.map((tag, i) => {
      const item = make("li", "", tag)
      item.id = `proposal-${i}`
      item.setAttribute("role", "option")
      item.addEventListener("pointerdown", (event) => { event.preventDefault(); this.give(tag) })
      return item
    }))
    this.mark()
  }

  mark() {
    this.list.hidden = !this.proposed.length
    this.tag.setAttribute("aria-expanded", String(!this.list.hidden))
    this.tag.setAttribute("aria-activedescendant", this.at < 0 ? "" : `proposal-${this.at}`)
    ;[...this.list.children].forEach((item, i) => item.setAttribute("aria-selected", String(i === this.at)))
  }

  keydown(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return
    const n = this.proposed.length
    if (event.key === "ArrowDown" && n) this.at = (this.at + 1) % n
    else if (event.key === "ArrowUp" && n) this.at = (Math.max(this.at, 0) + n - 1) % n
    else if (event.key === "Tab" && n && this.tag.value && !event.shiftKey) this.tag.value = this.proposed[Math.max(this.at, 0)]
    else if (event.key === "Enter") return this.take(event)
    else if (event.key === "Escape") {
      this.tag.value = ""
      this.propose()
      this.model.send_msg({ kind: "leave" })
      return
    } else return
    event.preventDefault()
    if (event.key === "Tab") this.propose()
    else this.mark()
  }

  take(event) {
    event.preventDefault()
    this.give(this.at >= 0 ? this.proposed[this.at] : this.tag.value)
  }

  give(tag) {
    if (!tag.trim()) return
    this.model.send_msg({ kind: "tag", tag, on: true })
    this.tag.value = ""
    this.propose()
  }

  // --- messages ----------------------------------------------------------------------------------------------------

  receive(message) {
    if (message.kind === "focus") this[message.what].focus()
    else if (message.kind === "said") {
      this.said.textContent = message.text
      this.said.classList.toggle("failed", Boolean(message.failed))
    } else if (message.kind === "state") this.state(message)
    else if (message.kind === "about") this.about(message)
  }

  state({ questions, column, known, only }) {
    this.questions = questions
    this.columns.replaceChildren(...Object.keys(questions).map((name) => new Option(name, name)))
    if (column !== undefined) {
      this.column.value = column
      this.answers.value = (questions[column] ?? []).join(", ")
    }
    this.known = known
    this.only.value = only ? "selected" : "queue"
  }

  about({ name, tags, selected, many }) {
    this.many.checked = many
    this.many.disabled = !selected
    this.many.parentNode.hidden = !selected
    this.manyText.textContent = `all ${selected.toLocaleString("en")} selected`
    this.whose.textContent = name
    this.chips.replaceChildren(...tags.map(([tag, text]) => {
      const chip = make("span", "chip")
      chip.setAttribute("role", "listitem")
      const cross = make("button", "", "×")
      cross.type = "button"
      cross.title = cross.ariaLabel = `Take away ${tag}`
      cross.addEventListener("click", () => this.model.send_msg({ kind: "tag", tag, on: false }))
      chip.append(make("span", "", text), cross)
      return chip
    }))
    this.root.dataset.tags = JSON.stringify(tags.map(([tag]) => tag))
  }
}

export function render({ model, el }) {
  const style = make("style", "", model.css)
  const bar = new LabelBar(model)
  el.append(style, bar.root)
  model.on("after_render", () => ready(model))
}

// Galaxies to rate, as a grid or one by one, by keys alone or by mouse.
//
// The model has `keys` ([[key, answer], ...]), `more` keys ([[key, kind of message, button, meaning], ...]), those it is
// `without`, a `title` and the `meaning` of its answers, and sends and receives messages. An answer is sent to Python,
// which writes it to the disk and confirms it; only then the next galaxy is shown. Keys pressed meanwhile wait in a
// queue. Text from the catalogue is only ever set as textContent.

const number = (value, digits) => (value === null || Number.isNaN(value) ? "–" : value.toFixed(digits))

const HELP = [
  ["s", "skip this galaxy"], ["u or Backspace", "undo, as often as you like"], ["arrows", "go to another galaxy"],
  ["space", "next batch"], ["g or Enter", "grid, or one large"], ["p", "hide or show predictions"],
  ["v", "look at the fluxes: stretch, bands, zoom"], ["?", "this help"],
]

class Pictures {
  // Decoded pictures by row, the last ones: a few more than Python thinks are here.
  constructor() { this.known = new Map() }

  async add(row, data) {
    const decoded = data && (await createImageBitmap(new Blob([data], { type: "image/jpeg" })).catch(() => null))
    this.known.set(row, decoded)
    while (this.known.size > 80) {
      const [oldest, old] = this.known.entries().next().value
      old?.close()
      this.known.delete(oldest)
    }
  }

  node(row) {
    const picture = this.known.get(row)
    if (!picture) return make("div", "none", "no picture")
    const canvas = make("canvas")
    canvas.width = picture.width
    canvas.height = picture.height
    canvas.getContext("2d").drawImage(picture, 0, 0)
    return canvas
  }
}

class RatingGrid {
  constructor(model) {
    this.model = model
    this.keys = new Map(model.keys)
    this.more = new Map(model.more.map(([key, kind]) => [key, kind]))
    this.usual = ["s", "u", "Backspace", " "].filter((key) => !model.without.includes(key) && !this.keys.has(key))
    this.cards = []
    this.at = 0
    this.pictures = new Pictures()
    this.adding = Promise.resolve()
    this.waiting = null
    this.queue = []
    this.large = false
    this.predictions = true
    this.build()
    model.on("msg:custom", (message) => this.receive(message))
  }

  build() {
    const keys = [...this.keys.keys()]
    const named = keys.length ? `keys ${keys[0]} to ${keys.at(-1)}, ` : ""
    this.root = make("div", "rate")
    this.root.tabIndex = 0
    this.root.dataset.lmSuppressShortcuts = "true"
    this.root.setAttribute("role", "application")
    this.root.setAttribute("aria-label", `${this.model.title}: ${named}question mark for help`)
    this.stage = make("div", "stage")
    this.stage.setAttribute("role", "listbox")
    this.stage.setAttribute("aria-label", "Galaxies of this batch")
    this.side = make("aside", "side")
    this.about = make("section", "about")
    this.found = make("section", "found")
    this.side.append(this.about, this.found)
    this.live = make("div", "live")
    this.live.setAttribute("aria-live", "polite")
    this.bar = make("div", "bar")
    const button = (text, label, key) => {
      const node = make("button", "", text)
      node.type = "button"
      node.title = node.ariaLabel = label
      node.addEventListener("click", () => { this.press(key); this.root.focus() })
      return node
    }
    for (const [key, value] of this.keys) {
      const verb = typeof value === "number" ? `Rate ${value}` : value
      this.bar.append(button(String(value), `${verb} (key ${key})`, key))
    }
    if (this.usual.includes("s")) this.bar.append(button("skip", "Skip (s)", "s"))
    if (this.usual.includes("Backspace")) this.bar.append(button("undo", "Undo (Backspace)", "Backspace"))
    this.bar.append(
      button("next", "Next batch (space)", " "),
      make("span", "gap"),
      ...this.model.more.map(([key, , text, meaning]) => button(text, `${meaning} (${key})`, key)),
      button("large", "Grid or one large (g)", "g"), button("fluxes", "Look at the fluxes (v)", "v"),
      button("?", "Help (question mark)", "?"),
    )
    this.help = this.buildHelp()
    this.root.append(this.stage, this.side, this.bar, this.live, this.help)
    this.root.addEventListener("keydown", (event) => this.keydown(event))
    this.root.addEventListener("pointerdown", () => this.root.focus())
    this.sized = new ResizeObserver(() => this.layout())
    this.sized.observe(this.stage)
  }

  buildHelp() {
    const help = make("div", "help")
    help.hidden = true
    help.setAttribute("role", "dialog")
    help.setAttribute("aria-label", "Keys")
    const list = make("dl")
    const keys = [...this.keys.keys()].join(" ")
    const usual = HELP.filter(([key]) => key !== "s" || this.usual.includes("s"))
      .map(([key, meaning]) => [key.startsWith("u ") && !this.usual.includes("u") ? "Backspace" : key, meaning])
    const more = this.model.more.map(([key, , , meaning]) => [key, meaning])
    for (const [key, meaning] of [...(keys ? [[keys, this.model.meaning]] : []), ...more, ...usual]) {
      list.append(make("dt", "", key), make("dd", "", meaning))
    }
    help.append(make("h2", "", "Keys"), list)
    return help
  }

  start() {
    if (this.model.asked || (this.model.takes_focus && free())) this.root.focus({ preventScroll: true })
    this.message("No galaxies yet: reading the catalogue …")
    ready(this.model)
  }

  // --- messages ---------------------------------------------------------------------------------------------------

  receive(message) {
    if (message.kind === "picture") {
      this.adding = Promise.all([this.adding, this.pictures.add(message.row, message.data)])
      return
    }
    // What is shown has its pictures: those sent before are decoded first.
    const settle = message.kind === "batch" || message.kind === "undone" ? this.adding : null
    if (settle) settle.then(() => this.take(message))
    else this.take(message)
  }

  take(message) {
    if (message.progress) this.showProgress(message.progress)
    if (message.kind === "batch") {
      this.cards = message.cards
      this.at = Math.max(0, this.cards.findIndex((card) => card.answer === null))
      if (this.cards.length) this.draw()
      else this.message(message.text)
    } else if (message.kind === "done") {
      const card = this.cards.find((one) => one.row === message.row)
      if (card) card.answer = message.answer
      this.badge(card)
      this.advance()
    } else if (message.kind === "undone") {
      this.undone(message)
    } else if (message.kind === "facts") {
      for (const card of message.cards) Object.assign(this.cards.find((one) => one.row === card.row) ?? {}, card)
      this.showAbout()
    } else if (message.kind === "focus") {
      requestAnimationFrame(() => (message.asked || free()) && this.root.focus())
      this.show()
    } else if (message.kind === "failed") {
      this.live.textContent = message.text
      this.live.classList.add("failed")
    }
    if (message.id !== undefined && message.id === this.waiting) {
      this.waiting = null
      this.root.dataset.shown = message.id
      const key = this.queue.shift()
      if (key !== undefined) this.press(key)
    }
  }

  undone(message) {
    if (!message.card) {
      this.live.textContent = "There is nothing to undo."
      return
    }
    const known = this.cards.findIndex((card) => card.row === message.card.row)
    if (known >= 0) {
      Object.assign(this.cards[known], message.card)
      this.at = known
      this.badge(this.cards[known])
      this.show()
    } else {
      this.cards.splice(this.at, 0, message.card)
      this.draw()
    }
  }

  ask(message) {
    this.number = (this.number ?? 0) + 1
    this.waiting = this.number
    this.model.send_msg({ ...message, id: this.number })
  }

  // --- keys ------------------------------------------------------------------------------------------------------

  keydown(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || event.key === "Tab") return
    // A focused button is pressed by its own keys.
    if (event.target !== this.root && (event.key === " " || event.key === "Enter")) return
    if (this.press(event.key)) {
      event.preventDefault()
      event.stopPropagation()
    }
  }

  press(key) {
    if (key === "?" || (key === "Escape" && !this.help.hidden)) {
      this.help.hidden = !this.help.hidden
      return true
    }
    if (key === "g" || key === "Enter") {
      this.large = !this.large
      this.draw()
      return true
    }
    if (key === "p") {
      this.predictions = !this.predictions
      this.showAbout()
      return true
    }
    if (key === "v") {
      this.model.send_msg({ kind: "viewer" })
      return true
    }
    const asks = this.keys.has(key) || this.usual.includes(key)
    if (asks && this.waiting !== null) {
      this.queue.push(key)
      return true
    }
    const card = this.cards[this.at]
    if (this.keys.has(key)) card && this.ask({ kind: "rate", row: card.row, value: this.keys.get(key) })
    else if (this.more.has(key)) card && this.model.send_msg({ kind: this.more.get(key), row: card.row })
    else if (!asks) return this.move(key)
    else if (key === " ") this.ask({ kind: "next" })
    else if (key !== "s") this.ask({ kind: "undo" })
    else if (card) this.ask({ kind: "rate", row: card.row, value: null })
    return true
  }

  move(key) {
    const columns = this.large ? 1 : this.columns
    const step = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -columns, ArrowDown: columns }[key]
    if (step === undefined) return false
    this.at = Math.min(Math.max(this.at + step, 0), Math.max(this.cards.length - 1, 0))
    this.show()
    return true
  }

  advance() {
    const open = (card) => card.answer === null
    const later = this.cards.findIndex((card, i) => i > this.at && open(card))
    const next = later >= 0 ? later : this.cards.findIndex(open)
    if (next < 0) {
      this.ask({ kind: "next" }) // keys wait for it, too
      return
    }
    this.at = next
    this.show()
  }

  // --- drawing -----------------------------------------------------------------------------------------------------

  message(text) {
    this.stage.replaceChildren(make("p", "nothing", text ?? ""))
    this.about.replaceChildren()
    this.live.textContent = text ?? ""
  }

  draw() {
    if (!this.cards.length) return
    this.stage.classList.toggle("large", this.large)
    this.figures = this.cards.map((card, i) => {
      const figure = make("figure")
      figure.id = `card-${card.row}`
      figure.setAttribute("role", "option")
      figure.append(this.pictures.node(card.row), make("figcaption", "", card.caption ?? card.name), make("span", "badge"))
      figure.addEventListener("click", () => { this.at = i; this.show() })
      figure.addEventListener("dblclick", () => this.press("g"))
      return figure
    })
    const strip = make("div", "strip")
    strip.append(...this.figures)
    this.big = make("div", "big")
    this.stage.replaceChildren(...(this.large ? [this.big, strip] : [strip]))
    this.cards.forEach((card) => this.badge(card))
    this.layout()
    this.show()
  }

  badge(card) {
    const figure = card && this.figures?.[this.cards.indexOf(card)]
    if (!figure) return
    const badge = figure.querySelector(".badge")
    const given = card.answer !== null
    badge.textContent = !given ? "" : Number.isNaN(card.answer) || card.answer === "skip" ? "skipped" : String(card.answer)
    figure.classList.toggle("given", given)
  }

  show() {
    const card = this.cards[this.at]
    if (!card) return
    this.figures.forEach((figure, i) => {
      figure.classList.toggle("here", i === this.at)
      figure.setAttribute("aria-selected", String(i === this.at))
    })
    if (this.large) this.big.replaceChildren(this.pictures.node(card.row))
    this.stage.setAttribute("aria-activedescendant", `card-${card.row}`)
    this.live.classList.remove("failed")
    this.live.textContent = `${this.at + 1} of ${this.cards.length}: ${card.name}`
    this.root.dataset.row = card.row
    this.showAbout()
    clearTimeout(this.telling)
    this.telling = setTimeout(() => this.model.send_msg({ kind: "at", row: card.row }), 150)
  }

  layout() {
    const n = this.cards.length
    if (!n || !this.figures) return
    const { clientWidth: width, clientHeight: height } = this.stage
    const caption = 22, gap = 6
    if (this.large) {
      this.columns = n
      this.stage.style.setProperty("--side", `${Math.max(48, Math.min(96, (width - gap * n) / n))}px`)
      return
    }
    let best = 0
    for (let columns = 1; columns <= n; columns++) {
      const rows = Math.ceil(n / columns)
      const side = Math.min((width - gap * (columns + 1)) / columns, (height - gap * (rows + 1)) / rows - caption)
      if (side > best) { best = side; this.columns = columns }
    }
    this.stage.style.setProperty("--side", `${Math.floor(best)}px`)
    this.stage.style.setProperty("--columns", this.columns)
  }

  showAbout() {
    const card = this.cards[this.at]
    if (!card) return
    const facts = make("dl")
    const rows = [...card.facts]
    if (this.predictions && card.predicted !== null) {
      rows.unshift(["predicted", `${number(card.predicted, 1)} ± ${number(card.std, 1)}`])
    }
    if (this.predictions) rows.unshift(...(card.opinions ?? []))
    for (const [name, value] of rows) facts.append(make("dt", "", name), make("dd", "", value))
    const links = make("p", "links")
    for (const [text, address] of card.links) {
      const link = make("a", "", text)
      link.href = address
      link.target = "_blank"
      link.rel = "noopener noreferrer"
      links.append(link)
    }
    const why = make("p", "why", this.predictions ? card.why : "")
    this.about.replaceChildren(make("h2", "", card.name), why, facts, links)
  }

  showProgress(progress) {
    const facts = make("dl")
    for (const [name, value] of progress.facts) facts.append(make("dt", "", name), make("dd", "", value))
    this.found.replaceChildren(make("h2", "", "So far"), facts, make("p", "why", progress.advice))
    this.root.dataset.rated = progress.rated
  }
}

export function render({ model, el }) {
  const style = make("style", "", model.css)
  const grid = new RatingGrid(model)
  el.append(style, grid.root)
  el.style.height = "100%"
  model.on("after_render", () => grid.start())
  model.on("remove", () => grid.sized.disconnect())
}

// What is searched for: a name, a position, or an image file that is dropped or chosen; and the examples, as chips.
//
// Python sends `chips` ({key, name, sign, data}), `said` and `separation`, and is told `add`, `file`, `remove`, `turn` and
// `separation`. Names are only ever set as textContent.

class FindBar {
  constructor(model) {
    this.model = model
    this.urls = []
    this.build()
    model.on("msg:custom", (message) => this.receive(message))
  }

  build() {
    this.root = make("div", "sought")
    this.root.dataset.lmSuppressShortcuts = "true"
    this.form = make("form")
    this.form.setAttribute("aria-label", "What to look for")
    this.text = make("input")
    Object.assign(this.text, {
      type: "text", name: "query", size: 34, autocomplete: "off", spellcheck: false, maxLength: 200,
      placeholder: "name or position, or drop an image",
    })
    this.text.setAttribute("aria-label", "Name of a galaxy or position on the sky")
    const like = this.button("like this", "Find galaxies like it (Enter)")
    like.type = "submit"
    const unlike = this.button("not like this", "Find galaxies unlike it (Shift and Enter)", () => this.add(-1))
    this.file = make("input")
    Object.assign(this.file, { type: "file", name: "file", accept: ".jpg,.jpeg,.png,.tif,.tiff,.fits,.fit,.fz,.gz", hidden: true })
    const open = this.button("image …", "Choose an image file as the example", () => this.file.click())
    this.apart = make("input")
    Object.assign(this.apart, { type: "number", name: "separation", min: 0, step: "any", placeholder: "0" })
    this.apart.style.width = "6em"
    const apart = make("label", "", "at least")
    apart.append(this.apart, make("span", "", "arcsec apart"))
    this.form.append(this.text, like, unlike, open, this.file, apart)
    this.chips = make("div", "chips")
    this.chips.setAttribute("role", "list")
    this.chips.setAttribute("aria-label", "Examples")
    this.said = make("p", "said")
    this.said.setAttribute("role", "status")
    this.root.append(this.form, this.chips, this.said)
    this.form.addEventListener("submit", (event) => { event.preventDefault(); this.add(1) })
    this.text.addEventListener("keydown", (event) => {
      if (event.key === "Enter" && event.shiftKey) { event.preventDefault(); this.add(-1) }
      else if (event.key === "Escape") this.model.send_msg({ kind: "leave" })
    })
    this.file.addEventListener("change", () => { this.send(this.file.files[0]); this.file.value = "" })
    this.apart.addEventListener("change", () => this.model.send_msg({ kind: "separation", value: this.apart.value }))
    this.listen()
  }

  button(text, label, action) {
    const node = make("button", "", text)
    node.type = "button"
    node.title = node.ariaLabel = label
    if (action) node.addEventListener("click", action)
    return node
  }

  // A file may be dropped anywhere on the page while this view is shown.
  listen() {
    this.ends = new AbortController()
    const { signal } = this.ends
    const shown = (event) => this.root.offsetParent !== null && event.dataTransfer?.types.includes("Files")
    document.addEventListener("dragover", (event) => {
      if (!shown(event)) return
      event.preventDefault()
      this.root.classList.add("over")
    }, { signal })
    document.addEventListener("dragleave", () => this.root.classList.remove("over"), { signal })
    document.addEventListener("drop", (event) => {
      if (!shown(event)) return
      event.preventDefault()
      this.root.classList.remove("over")
      this.send(event.dataTransfer.files[0])
    }, { signal })
  }

  add(sign) {
    const text = this.text.value.trim()
    if (!text) return
    this.say("Reading …")
    this.model.send_msg({ kind: "add", text, sign })
  }

  send(file) {
    if (!file) return
    if (file.size > this.model.largest) {
      this.say(`${file.name} is too large for a picture of a galaxy`, true)
      return
    }
    this.say(`Reading ${file.name} …`)
    const reader = new FileReader()
    reader.onload = () => this.model.send_msg({ kind: "file", name: file.name, data: reader.result.split(",")[1] ?? "" })
    reader.onerror = () => this.say(`${file.name} cannot be read`, true)
    reader.readAsDataURL(file)
  }

  say(text, failed = false) {
    this.said.textContent = text
    this.said.classList.toggle("failed", failed)
  }

  receive(message) {
    if (message.kind === "said") this.say(message.text, message.failed)
    else if (message.kind === "chips") this.show(message)
    else if (message.kind === "taken") this.text.value = ""
    else if (message.kind === "focus") requestAnimationFrame(() => free() && this.text.focus())
  }

  show({ chips, separation }) {
    this.urls.forEach((url) => URL.revokeObjectURL(url))
    this.urls = []
    this.apart.value = separation ?? ""
    this.chips.replaceChildren(...chips.map((chip) => this.chip(chip)))
    this.root.dataset.examples = chips.length
  }

  chip({ place, name, sign, data }) {
    const node = make("span", sign > 0 ? "chip like" : "chip unlike")
    node.setAttribute("role", "listitem")
    if (data) {
      const image = make("img")
      image.alt = ""
      image.src = URL.createObjectURL(new Blob([data], { type: "image/jpeg" }))
      this.urls.push(image.src)
      node.append(image)
    }
    const now = sign > 0 ? "like" : "not like"
    const turn = this.button(sign > 0 ? "+" : "−", `${now} ${name}; turn into ${sign > 0 ? "not like" : "like"}`,
      () => this.model.send_msg({ kind: "turn", place, sign }))
    turn.classList.add("sign")
    const cross = this.button("×", `Remove ${name}`, () => {
      this.model.send_msg({ kind: "remove", place, sign })
      this.text.focus()
    })
    node.append(turn, make("span", "", name), cross)
    return node
  }
}

export function render({ model, el }) {
  const style = make("style", "", model.css)
  const bar = new FindBar(model)
  el.append(style, bar.root)
  model.on("after_render", () => ready(model))
  model.on("remove", () => bar.ends.abort())
}

export function render({ el }) { el.append("viewer") }

// What fingers, the mouse and the wheel do on a map.
import { type Camera, type Place, type Size, panned, zoomed } from "./camera";

export interface Hands {
  size(): Size;
  camera(): Camera;
  /** Whether a drag draws a line. */
  drawing(): boolean;
  see(camera: Camera): void;
  press(left: number, top: number): void;
  hover(place: Place | null): void;
  line(places: Place[], done: boolean): void;
}

const CLICK = 4; // pixels that a click may move

/** Listens until the function that it returns is called. Places are pixels from the top left. */
export function listen(element: HTMLElement, hands: Hands): () => void {
  const down = new Map<number, Place>();
  let [began, moved]: [Place | null, boolean] = [null, false];
  let drawn: Place[] = [];
  const placeOf = (event: PointerEvent | WheelEvent): Place => {
    const box = element.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  };

  const start = (event: PointerEvent) => {
    if (event.button !== 0) return;
    element.setPointerCapture(event.pointerId);
    const place = placeOf(event);
    down.set(event.pointerId, place);
    [began, moved, drawn] = [place, down.size > 1, [place]];
    hands.hover(null);
  };
  const move = (event: PointerEvent) => {
    const place = placeOf(event);
    const before = down.get(event.pointerId);
    if (!before) {
      if (event.pointerType !== "touch") hands.hover(place);
      return;
    }
    down.set(event.pointerId, place);
    if (began && Math.hypot(place[0] - began[0], place[1] - began[1]) > CLICK) moved = true;
    if (down.size === 2) pinch(event.pointerId, before, place);
    else if (hands.drawing()) {
      drawn.push(place);
      hands.line(drawn, false);
    } else if (moved) hands.see(panned(hands.camera(), place[0] - before[0], place[1] - before[1]));
  };
  const pinch = (id: number, before: Place, place: Place) => {
    const other = [...down].find(([each]) => each !== id)![1];
    const [was, is] = [before, place].map((each) => Math.hypot(each[0] - other[0], each[1] - other[1]));
    const middle: Place = [(place[0] + other[0]) / 2, (place[1] + other[1]) / 2];
    hands.see(zoomed(hands.camera(), hands.size(), (was || 1) / (is || 1), ...middle));
  };
  const end = (event: PointerEvent) => {
    if (!down.delete(event.pointerId)) return;
    if (event.type === "pointerup" && down.size === 0) {
      if (!moved) hands.press(...placeOf(event));
      else if (hands.drawing()) hands.line(drawn, true);
    }
    if (down.size > 0) moved = true; // what is left of a pinch is no click
  };
  const wheel = (event: WheelEvent) => {
    event.preventDefault();
    const lines = event.deltaMode === WheelEvent.DOM_DELTA_LINE ? 16 : 1;
    const factor = Math.exp(Math.max(-200, Math.min(200, event.deltaY * lines)) * 0.002);
    hands.see(zoomed(hands.camera(), hands.size(), factor, ...placeOf(event)));
  };
  const leave = () => hands.hover(null);

  element.addEventListener("pointerdown", start);
  element.addEventListener("pointermove", move);
  element.addEventListener("pointerup", end);
  element.addEventListener("pointercancel", end);
  element.addEventListener("pointerleave", leave);
  element.addEventListener("wheel", wheel, { passive: false });
  return () => {
    element.removeEventListener("pointerdown", start);
    element.removeEventListener("pointermove", move);
    element.removeEventListener("pointerup", end);
    element.removeEventListener("pointercancel", end);
    element.removeEventListener("pointerleave", leave);
    element.removeEventListener("wheel", wheel);
  };
}

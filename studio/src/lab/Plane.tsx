// A square canvas that is painted anew when what it shows changes, at the screen's own density.
import { useEffect, useRef, useState } from "preact/hooks";
import { painted } from "../theme";
import { Paint } from "./paint";

interface PlaneProps {
  id: string;
  label: string;
  reach: number;
  paint: (paint: Paint) => void;
  /** What it depends on. */
  on: readonly unknown[];
}

export function Plane({ id, label, reach, paint, on }: PlaneProps) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const [side, setSide] = useState(0);
  const repainted = painted.value;
  useEffect(() => {
    const watch = new ResizeObserver(([entry]) => setSide(Math.round(entry!.contentRect.width)));
    watch.observe(canvas.current!);
    return () => watch.disconnect();
  }, []);
  useEffect(() => {
    const here = canvas.current!;
    const dense = Math.min(2, devicePixelRatio || 1);
    const pixels = Math.max(1, Math.round(side * dense));
    if (here.width !== pixels) here.width = here.height = pixels;
    paint(new Paint(here.getContext("2d")!, pixels, reach, dense));
  }, [side, reach, repainted, ...on]);
  return <canvas id={id} ref={canvas} class="plane" role="img" aria-label={label} />;
}

/** Saves a canvas as it is. */
export function savePicture(id: string, name: string): void {
  const canvas = document.getElementById(id) as HTMLCanvasElement | null;
  canvas?.toBlob((blob) => {
    if (!blob) return;
    const link = document.createElement("a");
    link.href = URL.createObjectURL(blob);
    link.download = name;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  });
}

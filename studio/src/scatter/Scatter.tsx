// Thousands of points to pan and zoom, to point at, to press between, and to draw a line through.
import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import { words } from "../words";
import { type Camera, type Place, type Size, fitted, pointAt, ticks, toPlane, toScreen, zoomed } from "./camera";
import { listen } from "./fingers";
import { type Painter, byHand, byWebGL } from "./painters";

const t = words(
  {
    map: "Map of {n} points. Arrow keys move the cross and decode there, plus and minus zoom, 0 shows all; Enter adds a place to a path.",
  },
  {
    map: "점 {n}개의 지도입니다. 방향키로 십자를 움직이면 그 자리를 복원합니다. +와 -로 확대·축소하고, 0은 전체를 보입니다. Enter는 경로에 점을 더합니다.",
  },
);

interface ScatterProps {
  points: Float32Array;
  colours: Uint8Array;
  cursor: Place | null;
  path: Place[];
  drawing: boolean;
  onPlace: (x: number, y: number) => void;
  /** A point, and where on the map. */
  onHover: (point: number | null, left: number, top: number) => void;
  onPath: (places: Place[], done: boolean) => void;
}

export function Scatter(props: ScatterProps) {
  const { points, colours, cursor, path } = props;
  const box = useRef<HTMLDivElement>(null);
  const canvas = useRef<HTMLCanvasElement>(null);
  const painter = useRef<Painter | null>(null);
  const [size, setSize] = useState<Size | null>(null);
  const [camera, setCamera] = useState<Camera | null>(null);
  const [byCanvas, setByCanvas] = useState(false); // WebGL is missing, or was lost
  const now = useRef({ props, camera, size });
  now.current = { props, camera, size };

  useLayoutEffect(() => {
    const watch = new ResizeObserver(([entry]) => {
      const { width, height } = entry!.contentRect;
      if (width && height) setSize({ width, height });
    });
    watch.observe(box.current!);
    return () => watch.disconnect();
  }, []);

  useLayoutEffect(() => {
    if (size) setCamera(fitted(points, size));
  }, [points, size !== null]);

  useLayoutEffect(() => {
    const element = canvas.current!;
    const made = byCanvas ? byHand(element) : byWebGL(element);
    if (!made) {
      setByCanvas(true);
      return;
    }
    painter.current = made;
    const lost = () => setByCanvas(true);
    element.addEventListener("webglcontextlost", lost);
    return () => {
      element.removeEventListener("webglcontextlost", lost);
      painter.current = null;
      made.close();
    };
  }, [byCanvas]);

  useLayoutEffect(() => painter.current?.load(points, colours), [points, colours, byCanvas]);

  // At once, so that points and what lies over them move together.
  useLayoutEffect(() => {
    if (!size || !camera || !painter.current) return;
    painter.current.paint(camera, size, radiusOf(points.length / 2));
    canvas.current!.dataset.drawn = String(points.length / 2);
    canvas.current!.dataset.way = painter.current.way;
  }, [size, camera, points, colours, byCanvas]);

  useEffect(() => {
    const toMap = ([left, top]: Place): Place => toPlane(now.current.camera!, now.current.size!, left, top);
    return listen(box.current!, {
      size: () => now.current.size!,
      camera: () => now.current.camera!,
      drawing: () => now.current.props.drawing,
      see: (found) => {
        now.current.camera = found;
        setCamera(found);
      },
      press: (left, top) => now.current.props.onPlace(...toMap([left, top])),
      hover: (place) => {
        const { props, camera, size } = now.current;
        const point = place && camera && size ? pointAt(props.points, camera, size, ...place) : null;
        props.onHover(point, place?.[0] ?? 0, place?.[1] ?? 0);
      },
      line: (places, done) => now.current.props.onPath(places.map(toMap), done),
    });
  }, []);

  const keys = (event: KeyboardEvent) => {
    if (!camera || !size || event.ctrlKey || event.metaKey || event.altKey) return;
    const step = Math.min(size.width, size.height) * camera.unit * (event.shiftKey ? 0.1 : 0.02);
    const [x, y] = cursor ?? [camera.x, camera.y];
    const middle: Place = [size.width / 2, size.height / 2];
    const todo: Record<string, () => void> = {
      ArrowLeft: () => props.onPlace(x - step, y),
      ArrowRight: () => props.onPlace(x + step, y),
      ArrowUp: () => props.onPlace(x, y + step),
      ArrowDown: () => props.onPlace(x, y - step),
      "+": () => setCamera(zoomed(camera, size, 0.8, ...middle)),
      "=": () => setCamera(zoomed(camera, size, 0.8, ...middle)),
      "-": () => setCamera(zoomed(camera, size, 1.25, ...middle)),
      "0": () => setCamera(fitted(points, size)),
      Enter: () => props.onPath([...path, [x, y]], path.length > 0),
    };
    const found = todo[event.key];
    if (!found) return;
    event.preventDefault();
    found();
  };

  return (
    <div
      ref={box}
      class={`scatter${props.drawing ? " drawing" : ""}`}
      role="application"
      tabIndex={0}
      aria-label={t("map", { n: points.length / 2 })}
      onKeyDown={keys}
    >
      <canvas key={byCanvas ? "2d" : "webgl"} ref={canvas} />
      {camera && size && <Over camera={camera} size={size} cursor={cursor} path={path} />}
    </div>
  );
}

/** A grid with its numbers, the cross, and the line that was drawn. */
function Over({ camera, size, cursor, path }: { camera: Camera; size: Size; cursor: Place | null; path: Place[] }) {
  const at = (x: number, y: number) => toScreen(camera, size, x, y);
  const [left, top] = toPlane(camera, size, 0, 0);
  const [right, bottom] = toPlane(camera, size, size.width, size.height);
  const many = (pixels: number) => Math.max(2, Math.round(pixels / 110));
  const cross = cursor && at(...cursor);
  return (
    <svg width={size.width} height={size.height} aria-hidden="true">
      {ticks(left, right, many(size.width)).map((x) => (
        <g key={`x${x}`} class="tick">
          <line x1={at(x, 0)[0]} x2={at(x, 0)[0]} y1={0} y2={size.height} />
          <text x={at(x, 0)[0] + 3} y={size.height - 4}>{x}</text>
        </g>
      ))}
      {ticks(bottom, top, many(size.height)).map((y) => (
        <g key={`y${y}`} class="tick">
          <line x1={0} x2={size.width} y1={at(0, y)[1]} y2={at(0, y)[1]} />
          <text x={4} y={at(0, y)[1] - 3}>{y}</text>
        </g>
      ))}
      {path.length > 1 && (
        <polyline class="path" points={path.map((place) => at(...place).map((v) => v.toFixed(1)).join()).join(" ")} />
      )}
      {cross && (
        <g class="cross">
          <circle cx={cross[0]} cy={cross[1]} r={9} />
          <path d={`M${cross[0] - 14} ${cross[1]}h28M${cross[0]} ${cross[1] - 14}v28`} />
        </g>
      )}
    </svg>
  );
}

function radiusOf(count: number): number {
  return Math.max(1.5, Math.min(5, 160 / Math.sqrt(count)));
}

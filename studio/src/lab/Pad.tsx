// A place to draw a density: with mouse, pen or finger, or with arrow keys and the space bar.
import { useRef, useState } from "preact/hooks";
import { colour } from "../theme";
import { words } from "../words";
import { Slider } from "../parts/basics";
import { dataColour } from "./colours";
import { t as labels } from "./labels";
import { Plane } from "./Plane";
import type { Pair } from "./types";

const t = words(
  {
    label: "Place to draw: {n} lines so far",
    how: "Draw with the mouse or a finger. With the keyboard: arrows move the pen, space lowers and lifts it.",
    undo: "Undo",
    clear: "Clear",
    use: "Train on it",
  },
  {
    label: "그리는 곳: 지금까지 선 {n}개",
    how: "마우스나 손가락으로 그리세요. 키보드로는 화살표로 펜을 옮기고 스페이스로 내리거나 듭니다.",
    undo: "되돌리기",
    clear: "지우기",
    use: "이것으로 학습하기",
  },
);

const REACH = 3;
const STEP = 0.1;
const KEYS: Record<string, Pair> = {
  ArrowLeft: [-STEP, 0],
  ArrowRight: [STEP, 0],
  ArrowUp: [0, STEP],
  ArrowDown: [0, -STEP],
};

interface PadProps {
  strokes: Pair[][];
  brush: number;
  onBrush: (brush: number) => void;
  onDrawn: (strokes: Pair[][]) => void;
  onUse: () => void;
}

export function Pad({ strokes, brush, onBrush, onDrawn, onUse }: PadProps) {
  const held = useRef<Pair[] | null>(null);
  const [pen, setPen] = useState<{ at: Pair; down: boolean; shown: boolean }>({ at: [0, 0], down: false, shown: false });
  const place = (event: PointerEvent): Pair => {
    const box = (event.currentTarget as HTMLElement).getBoundingClientRect();
    const share = (value: number) => Math.max(-REACH, Math.min(REACH, value));
    return [
      share(((event.clientX - box.left) / box.width) * 2 * REACH - REACH),
      share(REACH - ((event.clientY - box.top) / box.height) * 2 * REACH),
    ];
  };
  const last = (points: Pair[]) => onDrawn([...strokes.slice(0, -1), points]);
  const begin = (event: PointerEvent) => {
    (event.currentTarget as HTMLElement).setPointerCapture(event.pointerId);
    held.current = [place(event)];
    onDrawn([...strokes, held.current]);
  };
  const move = (event: PointerEvent) => {
    if (!held.current) return;
    held.current = [...held.current, place(event)];
    last(held.current);
  };
  const lift = () => {
    held.current = null;
  };
  const key = (event: KeyboardEvent) => {
    const by = KEYS[event.key];
    if (event.key === " ") {
      event.preventDefault();
      if (!pen.down) onDrawn([...strokes, [pen.at]]);
      setPen({ ...pen, down: !pen.down, shown: true });
    } else if (by) {
      event.preventDefault();
      const edge = (value: number) => Math.max(-REACH, Math.min(REACH, value));
      const at: Pair = [edge(pen.at[0] + by[0]), edge(pen.at[1] + by[1])];
      if (pen.down) last([...(strokes.at(-1) ?? []), at]);
      setPen({ ...pen, at, shown: true });
    }
  };
  return (
    <div class="pad">
      <div
        tabIndex={0}
        role="application"
        aria-label={t("label", { n: strokes.length })}
        onPointerDown={begin}
        onPointerMove={move}
        onPointerUp={lift}
        onPointerCancel={lift}
        onKeyDown={key}
      >
        <Plane
          id="lab-pad"
          label={t("label", { n: strokes.length })}
          reach={REACH}
          on={[strokes, brush, pen]}
          paint={(paint) => {
            paint.clear();
            const { ink } = paint;
            ink.lineCap = ink.lineJoin = "round";
            for (const stroke of strokes) {
              ink.beginPath();
              stroke.forEach(([x, y], i) => (i ? ink.lineTo(paint.x(x), paint.y(y)) : ink.moveTo(paint.x(x), paint.y(y))));
              if (stroke.length === 1) ink.lineTo(paint.x(stroke[0]![0]) + 0.1, paint.y(stroke[0]![1]));
              const wide = (4 * brush * paint.side) / (2 * REACH) / paint.dense;
              paint.stroke(dataColour(), wide, 0.35);
              paint.stroke(dataColour(), wide / 3, 0.8);
            }
            if (pen.shown) {
              paint.ellipse(...pen.at, 0.09, 0.09);
              paint.stroke(colour(pen.down ? "--bad" : "--ink"), 2);
            }
          }}
        />
      </div>
      <p class="small soft">{t("how")}</p>
      <Slider label={labels("brush")} value={brush} low={0.02} high={0.4} step={0.01} onInput={onBrush} />
      <div class="row">
        <button type="button" class="first" disabled={!strokes.length} onClick={onUse}>
          {t("use")}
        </button>
        <button type="button" disabled={!strokes.length} onClick={() => onDrawn(strokes.slice(0, -1))}>
          {t("undo")}
        </button>
        <button type="button" disabled={!strokes.length} onClick={() => onDrawn([])}>
          {t("clear")}
        </button>
      </div>
    </div>
  );
}

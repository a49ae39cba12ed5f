// What every view is made of.
import type { ComponentChildren } from "preact";
import { useEffect, useId, useState } from "preact/hooks";
import { messageOf } from "../server";
import { words } from "../words";

const t = words(
  {
    code: "As code",
    copy: "Copy",
    copied: "Copied",
    download: "Download",
    wait: "One moment …",
  },
  {
    code: "코드로 보기",
    copy: "복사",
    copied: "복사됨",
    download: "내려받기",
    wait: "잠시만요 …",
  },
);

/** One line that says what was expected, what came, and what to do. */
export function Trouble({ error }: { error: unknown }) {
  return error ? (
    <p class="problem" role="alert">
      {messageOf(error)}
    </p>
  ) : null;
}

export function Busy({ children }: { children?: ComponentChildren }) {
  return (
    <p class="busy soft" role="status">
      {children ?? t("wait")}
    </p>
  );
}

/** What is being fetched: what came, the error, and a way to ask again. */
export function useFetched<T>(work: () => Promise<T>, on: readonly unknown[]) {
  const [found, setFound] = useState<{ value?: T; error?: unknown }>({});
  const [turn, setTurn] = useState(0);
  useEffect(() => {
    let wanted = true;
    setFound((before) => (turn ? before : {}));
    work().then(
      (value) => wanted && setFound({ value }),
      (error: unknown) => wanted && setFound({ error }),
    );
    return () => {
      wanted = false;
    };
  }, [...on, turn]);
  return { ...found, again: () => setTurn((before) => before + 1) };
}

/** What comes piece by piece, the newest of it; what was there stays until then. */
export function useGrowing<T>(work: () => AsyncIterable<T>, on: readonly unknown[]) {
  const [found, setFound] = useState<{ value?: T; error?: unknown; busy: boolean }>({ busy: true });
  useEffect(() => {
    let wanted = true;
    setFound(({ value }) => ({ value, busy: true }));
    void (async () => {
      try {
        for await (const value of work()) {
          if (!wanted) return;
          setFound({ value, busy: true });
        }
        if (wanted) setFound(({ value }) => ({ value, busy: false }));
      } catch (error) {
        if (wanted) setFound(({ value }) => ({ value, error, busy: false }));
      }
    })();
    return () => {
      wanted = false;
    };
  }, on);
  return found;
}

export function Field({ label, children }: { label: string; children: ComponentChildren }) {
  return (
    <label class="field">
      <span>{label}</span>
      {children}
    </label>
  );
}

interface ChoiceProps<T extends string> {
  label: string;
  value: T;
  choices: readonly (readonly [T, string])[];
  onChange: (value: T) => void;
}

export function Choice<T extends string>({ label, value, choices, onChange }: ChoiceProps<T>) {
  return (
    <Field label={label}>
      <select value={value} onChange={(event) => onChange(event.currentTarget.value as T)}>
        {choices.map(([name, text]) => (
          <option key={name} value={name}>
            {text}
          </option>
        ))}
      </select>
    </Field>
  );
}

interface CountProps {
  label: string;
  /** As typed; empty where nobody chose. */
  value: string;
  /** What holds then. */
  otherwise: string;
  onInput: (value: string) => void;
}

/** A number from 1 on, or none. */
export function Count({ label, value, otherwise, onInput }: CountProps) {
  return (
    <Field label={label}>
      <input
        type="number"
        min={1}
        value={value}
        placeholder={otherwise}
        onInput={(event) => onInput(event.currentTarget.value)}
      />
    </Field>
  );
}

interface SliderProps {
  label: string;
  value: number;
  low: number;
  high: number;
  step?: number;
  /** What stands at the right; the number itself if left out. */
  shown?: string;
  onInput: (value: number) => void;
}

/** A slider that the arrow keys move too; its number stands beside it. */
export function Slider({ label, value, low, high, step, shown, onInput }: SliderProps) {
  const id = useId();
  return (
    <div class="slider">
      <label for={id}>{label}</label>
      <output for={id} class="soft small">
        {shown ?? value.toFixed(2)}
      </output>
      <input
        id={id}
        type="range"
        min={low}
        max={high}
        step={step ?? (high - low) / 200}
        value={value}
        onInput={(event) => onInput(event.currentTarget.valueAsNumber)}
      />
    </div>
  );
}

/** The five lines of Python that give the same. */
export function AsCode({ code }: { code: string }) {
  const [copied, setCopied] = useState(false);
  return (
    <details class="as-code">
      <summary>{t("code")}</summary>
      <pre tabIndex={0}>{code}</pre>
      <button
        type="button"
        onClick={async () => {
          await navigator.clipboard.writeText(code);
          setCopied(true);
          setTimeout(() => setCopied(false), 1500);
        }}
      >
        {t(copied ? "copied" : "copy")}
      </button>
    </details>
  );
}

/** A link that saves what it points at. */
export function Download({ href, name, label }: { href: string; name: string; label?: string }) {
  return (
    <a class="button" href={href} download={name}>
      {label ?? `${t("download")} ${name.slice(name.lastIndexOf("."))}`}
    </a>
  );
}

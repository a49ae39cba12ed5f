// The table of a comparison: for each quantity, a line for each run that has it.
import { words } from "../words";

const t = words(
  {
    quantity: "quantity",
    run: "run",
    value: "value",
    bits: "bits/dim",
    difference: "difference",
    interval: "95 % interval",
    note: "",
    table: "comparison on {data}",
  },
  {
    quantity: "항목",
    run: "모델",
    value: "값",
    bits: "bits/dim",
    difference: "차이",
    interval: "95 % 구간",
    note: "",
    table: "{data}에서의 비교",
  },
);

type Line = [string, string, string, string, string, string, string, boolean];

export interface Group {
  title: string;
  apart: string[];
  sections: Line[][];
  beside: string[];
}

const COLUMNS = ["quantity", "run", "value", "bits", "difference", "interval", "note"] as const;

export function CompareTable({ group }: { group: Group }) {
  return (
    <section class="compare-group">
      <h2>{group.title}</h2>
      {group.apart.map((text) => (
        <p key={text} class="note small">
          {text}
        </p>
      ))}
      <div class="scroll" tabIndex={0} role="region" aria-label={t("table", { data: group.title })}>
        <table class="numbers">
          <thead>
            <tr>
              {COLUMNS.map((name, place) => (
                <th key={name} scope="col" class={place > 1 && place < 6 ? "number" : ""}>
                  {t(name)}
                </th>
              ))}
            </tr>
          </thead>
          {group.sections.map((lines, part) => (
            <tbody key={part}>
              {lines.map((line) => (
                <tr key={line[1]} class={line[7] ? "best" : ""}>
                  {line.slice(0, 7).map((cell, place) => (
                    <td key={place} class={place > 1 && place < 6 ? "number" : ""}>
                      {cell}
                    </td>
                  ))}
                </tr>
              ))}
            </tbody>
          ))}
        </table>
      </div>
      {group.beside.map((text) => (
        <p key={text} class="small soft">
          {text}
        </p>
      ))}
    </section>
  );
}

// The numbers of an evaluation, each with its unit and its kind.
import { words } from "../words";

const t = words(
  {
    title: "Numbers",
    none: "It has not been evaluated yet: log p(x), rate, distortion and active units come with that.",
    quantity: "quantity",
    value: "value",
    unit: "unit",
    kind: "kind",
    note: "what it is",
  },
  {
    title: "수치",
    none: "아직 평가하지 않았습니다. 평가하면 log p(x), rate, distortion, 활성 차원 수가 나옵니다.",
    quantity: "항목",
    value: "값",
    unit: "단위",
    kind: "종류",
    note: "설명",
  },
);

type Row = [quantity: string, value: string, unit: string, kind: string, note: string];

export interface Numbers {
  title: string;
  rows: Row[];
  sections: { name: string; rows: Row[]; notes: string[] }[];
}

export function OverviewNumbers({ numbers }: { numbers: Numbers | null }) {
  return (
    <section>
      <h2>{t("title")}</h2>
      {!numbers && <p class="soft">{t("none")}</p>}
      {numbers && (
        <>
          <p class="soft small">{numbers.title}</p>
          <Table rows={numbers.rows} />
          {numbers.sections.map((section) => (
            <div key={section.name}>
              <h3>{section.name}</h3>
              <Table rows={section.rows} />
              {section.notes.map((note) => (
                <p key={note} class="small soft">
                  {note}
                </p>
              ))}
            </div>
          ))}
        </>
      )}
    </section>
  );
}

function Table({ rows }: { rows: Row[] }) {
  return (
    <div class="scroll" tabIndex={0} role="region" aria-label={t("title")}>
      <table class="numbers">
        <thead>
          <tr>
            <th scope="col">{t("quantity")}</th>
            <th scope="col" class="number">
              {t("value")}
            </th>
            <th scope="col">{t("unit")}</th>
            <th scope="col">{t("kind")}</th>
            <th scope="col">{t("note")}</th>
          </tr>
        </thead>
        <tbody>
          {rows.map(([quantity, value, unit, kind, note], place) => (
            <tr key={place}>
              <th scope="row">{quantity}</th>
              <td class="number">{value}</td>
              <td>{unit}</td>
              <td>{kind && <span class="kind">{kind}</span>}</td>
              <td class="soft small">{note}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

// What the model is, and what is known of it: numbers with their kind, or why there are none.
import { words } from "../words";
import type { Told } from "./packed";

const t = words(
  {
    what: "{recipe}, trained on {data}: {train} examples, {parameters} parameters, {steps} steps.",
    exact: "log p(x) = {value} nats per held-out example",
    "lower bound": "log p(x) ≥ {value} nats per held-out example (a lower bound)",
    estimate: "log p(x) ≈ {value} nats per held-out example (an importance-sampled estimate, in expectation below it)",
    samples: "{n} samples each",
    bits: "{bits} bits/dim",
    bound: "ELBO {value} nats",
    none: "No likelihood is told: {reason}.",
    unmeasured: "Its likelihood was not measured.",
  },
  {
    what: "{recipe} 모델입니다. {data} 데이터로 학습했습니다: 예제 {train}개, 파라미터 {parameters}개, {steps} 스텝.",
    exact: "평가용 예제마다 log p(x) = {value} nats",
    "lower bound": "평가용 예제마다 log p(x) ≥ {value} nats (하한)",
    estimate: "평가용 예제마다 log p(x) ≈ {value} nats (중요도 샘플링 추정치, 기댓값은 참값보다 작습니다)",
    samples: "예제마다 표본 {n}개",
    bits: "{bits} bits/dim",
    bound: "ELBO {value} nats",
    none: "우도를 말할 수 없습니다: {reason}.",
    unmeasured: "우도를 측정하지 않았습니다.",
  },
);

export function Measured({ told }: { told: Told }) {
  const { model, about } = told;
  return (
    <div class="small soft given-told">
      <p>
        {t("what", {
          recipe: about.recipe,
          data: model.data,
          train: model.train.toLocaleString(),
          parameters: model.parameters.toLocaleString(),
          steps: model.steps.toLocaleString(),
        })}
      </p>
      <p>{numbers(told)}</p>
    </div>
  );
}

function numbers({ model }: Told): string {
  const { log_p: found, bound, no_likelihood: reason } = model;
  if (!found) return reason ? t("none", { reason }) : t("unmeasured");
  const error = found.error === null ? "" : ` ± ${found.error.toPrecision(2)}`;
  const value = `${signed(found.value)}${error}`;
  return [
    t(found.kind, { value }),
    ...(found.samples && found.kind === "estimate" ? [t("samples", { n: found.samples })] : []),
    t("bits", { bits: found.bits.toFixed(3) }),
    ...(bound !== null && found.kind !== "lower bound" ? [t("bound", { value: signed(bound) })] : []),
  ].join(" · ");
}

function signed(value: number): string {
  return value.toFixed(2).replace("-", "−");
}

// Which model: all recipes in their groups, each with a line on what it is.
import { useState } from "preact/hooks";
import { Field } from "../parts/basics";
import { words } from "../words";
import type { Recipe } from "./new_form";

const GROUPS = words(
  {
    vae: "Variational autoencoder",
    importance: "Tighter bounds",
    disentangling: "Disentangling, and other weights of the bound",
    conditional: "Conditional models",
    hierarchical: "Hierarchies of codes",
    inference: "Inference beyond an encoder",
    autoencoders: "Autoencoders",
    tokens: "Tokens",
    linear: "Linear",
    mixtures: "Mixtures",
    flows: "Flows",
    quantized: "Codebooks",
    two_grids: "Codebooks on two grids",
    autoregressive: "Autoregressive",
    adversarial: "Adversarial",
    stacked: "From text",
    matched: "Adversarial autoencoders",
    perceptual: "Perceptual",
    two_stage: "On the codes of another run",
    sequences: "Sequences",
  },
  {
    vae: "변분 오토인코더 (VAE)",
    importance: "더 촘촘한 하한",
    disentangling: "분리 표현과 하한의 다른 가중치",
    conditional: "조건부 모델",
    hierarchical: "계층적 잠재변수",
    inference: "인코더를 넘어선 추론",
    autoencoders: "오토인코더",
    tokens: "토큰",
    linear: "선형 모델",
    mixtures: "혼합 모델",
    flows: "플로우",
    quantized: "코드북 (VQ)",
    two_grids: "두 격자의 코드북",
    autoregressive: "자기회귀 모델",
    adversarial: "적대적 학습 (GAN)",
    stacked: "텍스트에서 이미지로",
    matched: "적대적 오토인코더",
    perceptual: "지각 손실",
    two_stage: "다른 모델의 코드 위에",
    sequences: "시계열",
  },
);

const t = words(
  { title: "Recipe", filter: "Find a recipe", none: "No recipe fits.", paper: "Paper" },
  { title: "레시피", filter: "레시피 찾기", none: "맞는 레시피가 없습니다.", paper: "논문" },
);

interface RecipeProps {
  recipes: Recipe[];
  chosen: string;
  onChoose: (name: string) => void;
}

export function NewRecipe({ recipes, chosen, onChoose }: RecipeProps) {
  const [text, setText] = useState("");
  const wanted = text.trim().toLowerCase();
  const shown = recipes.filter((each) =>
    `${each.name} ${each.summary} ${each.paper} ${titleOf(each.group)}`.toLowerCase().includes(wanted),
  );
  const groups = [...new Set(shown.map((each) => each.group))];
  const one = recipes.find((each) => each.name === chosen);
  return (
    <section class="card">
      <h2>{t("title")}</h2>
      {one && (
        <p>
          <strong>{one.name}</strong>: {one.summary}{" "}
          {one.paper && (
            <span class="soft small">
              {t("paper")}: {one.paper}
            </span>
          )}
        </p>
      )}
      <Field label={t("filter")}>
        <input type="search" value={text} onInput={(event) => setText(event.currentTarget.value)} />
      </Field>
      <div class="recipes" role="radiogroup" aria-label={t("title")} tabIndex={-1}>
        {shown.length === 0 && <p class="soft">{t("none")}</p>}
        {groups.map((group) => (
          <fieldset key={group}>
            <legend>{titleOf(group)}</legend>
            {shown
              .filter((each) => each.group === group)
              .map((each) => (
                <label key={each.name} class={each.name === chosen ? "chosen" : ""}>
                  <input
                    type="radio"
                    name="recipe"
                    checked={each.name === chosen}
                    onChange={() => onChoose(each.name)}
                  />{" "}
                  <span>
                    <strong>{each.name}</strong> <span class="soft small">{each.summary}</span>
                  </span>
                </label>
              ))}
          </fieldset>
        ))}
      </div>
    </section>
  );
}

/** A group that is new has its own name. */
function titleOf(group: string): string {
  return GROUPS(group as "vae");
}

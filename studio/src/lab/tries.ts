// Things to try: each sets the choices, and says in two sentences what to look at.
import type { Choices, Model } from "./types";

export interface Experiment {
  id: string;
  model: Model;
  /** Choices of a new model. */
  choices: Partial<Choices>;
  /** … and what is changed of the one that is training, if it is this one already. */
  live?: Partial<Choices>;
  en: [string, string];
  ko: [string, string];
}

export const EXPERIMENTS: Experiment[] = [
  {
    id: "noise-to-ring",
    model: "flow",
    choices: { density: "ring" },
    en: [
      "Bend Gaussian noise into a ring",
      "The green grid is a Gaussian's, with the same share of samples in each cell; training bends it until its cells crowd on the ring. A flow may bend but never tear, so a thin bridge over the hole remains: move the slider “noise → data” to see how.",
    ],
    ko: [
      "가우시안 잡음을 휘어 고리 만들기",
      "초록 격자는 가우시안의 격자이고 칸마다 샘플이 같은 비율로 들어 있습니다. 학습은 칸들이 고리 위에 모일 때까지 격자를 휩니다. 흐름(flow)은 휠 수는 있어도 찢을 수는 없어서 구멍을 가로지르는 얇은 다리가 남습니다. “잡음 → 데이터” 슬라이더로 확인해 보세요.",
    ],
  },
  {
    id: "line-on-ring",
    model: "vae",
    choices: { density: "ring", latent: 1 },
    en: [
      "One latent dimension on a ring",
      "A line has two ends and a ring has none, so the VAE has to cut the ring somewhere. Look for the gap, and at posteriors of points beside it: some take a code from one end, some from the other.",
    ],
    ko: [
      "고리에 1차원 잠재 공간",
      "선에는 두 끝이 있고 고리에는 없으므로 VAE는 어딘가에서 고리를 끊어야 합니다. 끊긴 틈과 그 옆 점들의 사후분포를 보세요. 어떤 점은 한쪽 끝의 코드를, 어떤 점은 다른 쪽 끝의 코드를 갖습니다.",
    ],
  },
  {
    id: "collapse",
    model: "vae",
    choices: { density: "ring" },
    live: { beta: 20 },
    en: [
      "Make β large: the posterior collapses",
      "The rate now costs twenty times as much, so the cheapest posterior is the prior itself: the rate falls to 0 nats and all ellipses become the same circle. Decoded means shrink to one place, and σ has to explain everything.",
    ],
    ko: [
      "β를 크게: 사후분포 붕괴",
      "레이트의 값이 20배가 되면 가장 싼 사후분포는 사전분포 자체입니다. 레이트가 0 nats로 떨어지고 모든 타원이 같은 원이 됩니다. 복원 평균은 한곳으로 모이고 σ가 모든 것을 설명해야 합니다.",
    ],
  },
  {
    id: "no-rate",
    model: "vae",
    choices: { density: "ring", beta: 0 },
    live: { beta: 0 },
    en: [
      "β = 0: an autoencoder, whose samples fail",
      "Nothing holds the codes to the prior any more: ellipses shrink to points and drift away, and distortion gets better and better. But samples come from the prior, where now no code lies: compare dots and ring.",
    ],
    ko: [
      "β = 0: 샘플이 망가지는 오토인코더",
      "코드를 사전분포에 붙잡아 두는 것이 없어져서 타원은 점으로 줄어 흩어지고 왜곡은 계속 좋아집니다. 그러나 샘플은 이제 코드가 없는 사전분포에서 나옵니다. 점들과 고리를 비교해 보세요.",
    ],
  },
  {
    id: "unused",
    model: "vae",
    choices: { density: "letter", latent: 4 },
    en: [
      "Four latent dimensions for a curve",
      "One number says where on the S a point lies, a second how far beside it. Read the rate of each dimension below the latent space: the two that have nothing left to say fall to 0 nats, and there the posterior is the prior.",
    ],
    ko: [
      "곡선 하나에 4차원 잠재 공간",
      "숫자 하나는 점이 S의 어디에 있는지, 또 하나는 얼마나 벗어났는지 말해 줍니다. 잠재 공간 아래의 차원별 레이트를 보세요. 더 말할 것이 없는 두 차원은 0 nats로 떨어져 사후분포가 사전분포와 같아집니다.",
    ],
  },
  {
    id: "stronger",
    model: "gan",
    choices: { density: "eight" },
    live: { rate: 10 },
    en: [
      "A discriminator 10 times as fast: modes come and go",
      "It learns where samples lie faster than the generator can move them, which then chases from mode to mode and loses those it had. Watch the share of samples near a mode fall, and the two losses leave the dashed lines of a fair game.",
    ],
    ko: [
      "판별자를 10배 빠르게: 모드가 사라졌다 나타남",
      "판별자가 샘플의 위치를 배우는 속도가 생성자가 옮기는 속도보다 빨라서, 생성자는 모드 사이를 쫓아다니다 이미 찾은 모드를 잃습니다. 모드 근처 샘플의 비율이 떨어지고, 두 손실이 공정한 게임의 점선에서 벗어나는 것을 보세요.",
    ],
  },
  {
    id: "wasserstein",
    model: "gan",
    choices: { density: "grid", loss: "wasserstein", repeats: 3 },
    en: [
      "A Wasserstein critic on a grid of 25",
      "The critic's slope is held near 1, so that it pulls samples also from far away, where a plain discriminator is flat. Compare the arrows and the number of modes with those of the usual loss.",
    ],
    ko: [
      "25개 격자에 바서슈타인 비평자",
      "비평자의 기울기를 1 근처로 유지하므로, 보통 판별자가 평평해지는 먼 곳의 샘플도 끌어당깁니다. 화살표와 모드 수를 보통 손실의 것과 비교해 보세요.",
    ],
  },
  {
    id: "em",
    model: "gmm",
    choices: { density: "eight", components: 8 },
    en: [
      "EM with as many components as modes",
      "Each iteration explains the data better and never worse, and yet it may stop with two components on one mode and one component over two. Try other seeds: the start decides.",
    ],
    ko: [
      "모드 수만큼의 성분으로 EM",
      "반복마다 데이터를 더 잘 설명하고 결코 나빠지지 않지만, 한 모드에 성분 둘, 두 모드에 성분 하나인 채로 멈출 수 있습니다. 시드를 바꿔 보세요. 출발점이 결과를 정합니다.",
    ],
  },
  {
    id: "ring-of-ellipses",
    model: "gmm",
    choices: { density: "ring", components: 24 },
    en: [
      "A ring out of 24 ellipses",
      "A mixture has no idea of a ring and lays ellipses along it. More of them come nearer to the dashed line; with few points they begin to explain the noise, and the held-out curve falls.",
    ],
    ko: [
      "타원 24개로 만든 고리",
      "혼합 모형은 고리를 모르고 타원을 따라 늘어놓을 뿐입니다. 수를 늘리면 점선에 가까워집니다. 점이 적으면 잡음까지 설명하기 시작하고 따로 둔 점의 곡선이 내려갑니다.",
    ],
  },
  {
    id: "overfit",
    model: "flow",
    choices: { density: "moons", points: 60, batch: 60 },
    en: [
      "Sixty points: a flow learns them by heart",
      "log p(x) of the points that train rises above what the density itself would give them: no true model can do that. That of held-out points falls meanwhile, and the surface becomes a chain of peaks.",
    ],
    ko: [
      "점 60개: 외워 버리는 흐름",
      "학습 점의 log p(x)가 밀도 자체의 값보다 높아집니다. 참된 모형이라면 있을 수 없는 일입니다. 그동안 따로 둔 점의 값은 떨어지고 표면은 뾰족한 봉우리의 사슬이 됩니다.",
    ],
  },
  {
    id: "match",
    model: "aae",
    choices: { density: "ring" },
    en: [
      "Let a critic shape the codes",
      "No rate holds the codes here: a critic looks at codes and prior, blue where it expects the prior, orange where codes. Once it can no longer tell them apart the surface turns pale, and codes lie as a Gaussian does.",
    ],
    ko: [
      "비평자가 코드의 모양을 잡게 하기",
      "여기서는 레이트가 아니라 비평자가 코드를 붙잡습니다. 사전분포라고 보는 곳은 파랑, 코드라고 보는 곳은 주황입니다. 더는 구별할 수 없게 되면 표면이 옅어지고 코드는 가우시안처럼 놓입니다.",
    ],
  },
  {
    id: "tighter",
    model: "iwae",
    choices: { density: "moons", latent: 1, samples: 50 },
    en: [
      "Fifty samples for a tighter bound",
      "The IWAE bound with K = 50 lies close under log p(x), the ELBO of the same posterior well below. The true posterior need no longer be near a Gaussian: q(z|x) only has to propose codes well.",
    ],
    ko: [
      "샘플 50개로 더 조인 하한",
      "K = 50인 IWAE 하한은 log p(x) 바로 아래에 있고, 같은 사후분포의 ELBO는 한참 아래에 있습니다. 이제 참 사후분포가 가우시안에 가까울 필요가 없고, q(z|x)는 코드를 잘 제안하기만 하면 됩니다.",
    ],
  },
];

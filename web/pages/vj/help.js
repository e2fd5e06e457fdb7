// What each control does, for tooltips and the dialog behind it. English is the table's own; Japanese is here.

import { currentLanguage } from "/shared/language.js";

const JAPANESE = {
  model_a: "スロットAのモデル：内蔵モデルの名前", model_b: "スロットBのモデル", crossfade: "0はA、1はB。間ではすべての重みを混ぜます",
  rate: "前の画像を戻すときに掛ける倍率", noise_1: "毎フレーム加える粗いノイズの量", noise_2: "中間のノイズの量", noise_3: "細かいノイズの量",
  noise_speed: "ノイズが変わる速さ。1がNgxの速さ", zoom: "毎フレームの拡大率。1でそのまま", rotate: "毎フレームの回転。正の値で時計回り（度）",
  shift_x: "毎フレーム右へ動く量（一辺に対する割合）", shift_y: "毎フレーム下へ動く量（一辺に対する割合）", fold: "ループの中の鏡", segments: "万華鏡の分割数",
  focus: "負の値でぼかし、正の値で鮮明に", inject: "カメラや映像のどの部分を入れるか", inject_gain: "入れる強さ", inject_blend: "混ぜ方",
  hue: "表示する色相を回します", invert: "表示を反転（ネガ）します", false_colour: "明るさを移り変わる色に置き換えます",
  freeze: "画像を止めます", blackout: "ループは動いたまま、何も表示しません", strobe_guard: "点滅を毎秒3回までに抑えます",
  collapse_guard: "画像が消えたり飽和したりすると、ノイズを少しずつ増やします", output_size: "表示する画像の一辺（ピクセル）",
};

/** row: of the table. */
export const help = (row) => (currentLanguage() === "ja" && JAPANESE[row.name]) || row.help;

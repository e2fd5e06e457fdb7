// Every sentence of the stage, in both languages. Controls of the table that have no word here show their own name.

import { currentLanguage, translator } from "/shared/language.js";
import { PROBLEMS } from "/shared/problems.js";

const STRINGS = {
  en: {
    line_connecting: "Connecting", line_live: "Live", line_lost: "The show does not answer", line_key: "Wrong key",
    key_more: "This address does not have this show's key. Open the one that the terminal printed.",
    deck: "Picture and slots", hands: "Pads", ears: "Sound and MIDI",
    record: "Record", recording: "Recording to {film}", recorded: "The recording is in {film}", trouble: "That did not work.", output: "Output page", keys: "Keys", space: "space", tap: "tap · bpm", undo: "Undo", camera: "Camera in",
    presets: "Presets", beats: "morph over beats", cut: "cut", morphing: "morphing", onset: "onset", no_sound: "No sound comes in", no_midi: "No MIDI device", sound_ms: "sound to picture {ms} ms",
    model_of: "Model in slot {slot}", load: "Load .pict…", drop: "drop a .pict here", loading: "Loading {name}", loaded: "{name} plays in slot {slot}",
    only_pict: "{name}: only .pict files can be dropped into a slot", too_large: "{name}: more than 64 MiB, the most that a slot takes",
    show_fps: "{fps} fps · {ms} ms a picture", view: "{ms} ms to this screen", pages: "{pages} control pages",
    guard_alive: "Alive", guard_dead: "Dead", guard_frozen: "Frozen", guard_burnt: "Burnt out", guard_reviving: "Reviving",
    guard_more: "Helped {count} times. Deviation {deviation}, motion {motion} a second, burnt {burnt} %",
    strobe_holding: "Flashes held", strobe_count: "Flashes held {count} times",
    group_loop: "Loop", group_motion: "Motion", group_guest: "Guest", group_colour: "Colour", group_out: "Output", group_more: "More",
    pad_hint: "Double tap: back to rest", wire: "Knob and sound for {name}",
    learn: "Learn MIDI", learning: "Move a knob now…", forget: "Forget the knob", knobs: "Turned by {knobs}", no_knob: "No knob turns it yet.",
    follow: "Follows the sound", nothing: "nothing", gain: "How much", close: "Close",
    level: "level", low: "low", mid: "mid", high: "high", flux: "flux", beat: "beat",
    camera_insecure: "Cameras work only on https:// addresses and on http://localhost.", camera_denied: "The camera was not allowed: click its symbol in the address bar.",
    camera_absent: "No camera was found.", camera_busy: "Another program holds the camera.", camera_unknown: "The camera did not start; unplug it and plug it in again.", camera_elsewhere: "Another page's camera has taken this one's place.",
    ...PROBLEMS.en,
  },
  ja: {
    line_connecting: "接続中", line_live: "ライブ", line_lost: "ショーが応答しません", line_key: "キーが違います",
    key_more: "このアドレスには正しいキーがありません。ターミナルに表示されたアドレスを開いてください。",
    deck: "映像とスロット", hands: "パッド", ears: "音とMIDI",
    record: "録画", recording: "録画中：{film}", recorded: "録画の保存先：{film}", trouble: "実行できませんでした。", output: "出力ページ", keys: "キー操作", space: "スペース", tap: "タップ · bpm", undo: "元に戻す", camera: "カメラ入力",
    presets: "プリセット", beats: "モーフの拍数", cut: "即時", morphing: "モーフ中", onset: "アタック", no_sound: "音声入力がありません", no_midi: "MIDI機器なし", sound_ms: "音から映像まで {ms} ms",
    model_of: "スロット{slot}のモデル", load: ".pict を開く…", drop: ".pict をここへ", loading: "{name} を読み込み中", loaded: "{name} をスロット{slot}で再生中",
    only_pict: "{name}：スロットに入れられるのは .pict だけです", too_large: "{name}：64 MiB を超えています",
    show_fps: "{fps} fps · 1枚 {ms} ms", view: "画面まで {ms} ms", pages: "操作画面 {pages} 枚",
    guard_alive: "正常", guard_dead: "消失", guard_frozen: "静止", guard_burnt: "飽和", guard_reviving: "回復中",
    guard_more: "介入 {count} 回。偏差 {deviation}、動き {motion}/秒、飽和 {burnt} %",
    strobe_holding: "点滅を抑制中", strobe_count: "点滅抑制 {count} 回",
    group_loop: "ループ", group_motion: "動き", group_guest: "ゲスト映像", group_colour: "色", group_out: "出力", group_more: "その他",
    pad_hint: "ダブルタップで初期位置", wire: "{name} のつまみと音",
    learn: "MIDI学習", learning: "つまみを動かしてください…", forget: "つまみを解除", knobs: "割り当て：{knobs}", no_knob: "つまみは未割り当てです。",
    follow: "音に反応", nothing: "なし", gain: "強さ", close: "閉じる",
    level: "音量", low: "低域", mid: "中域", high: "高域", flux: "変化", beat: "拍",
    camera_insecure: "カメラは https:// か http://localhost でのみ使えます。", camera_denied: "カメラが許可されていません。アドレスバーから許可してください。",
    camera_absent: "カメラが見つかりません。", camera_busy: "他のアプリがカメラを使用中です。", camera_unknown: "カメラを開始できません。抜き差ししてください。", camera_elsewhere: "別のページのカメラに切り替わりました。",
    ...PROBLEMS.ja,
  },
};

const LABELS = {
  en: {
    crossfade: "Crossfade", rate: "Feedback", noise_1: "Broad noise", noise_2: "Middle noise", noise_3: "Fine noise", noise_speed: "Noise speed",
    zoom: "Zoom", rotate: "Turn", shift_x: "Move across", shift_y: "Move down", fold: "Mirrors", segments: "Wedges", focus: "Blur · sharp",
    inject: "What enters", inject_gain: "How much", inject_blend: "Blend", hue: "Hue", invert: "Invert", false_colour: "False colour",
    freeze: "Freeze", blackout: "Blackout", strobe_guard: "Flash limit", collapse_guard: "Keep alive", output_size: "Size in px",
    tap: "Tap the tempo", undo: "Undo", "next preset": "Next preset", record: "Record", learn: "Learn MIDI", "save map": "Keep the knobs",
  },
  ja: {
    crossfade: "クロスフェード", rate: "フィードバック", noise_1: "粗いノイズ", noise_2: "中間ノイズ", noise_3: "細かいノイズ", noise_speed: "ノイズの速さ",
    zoom: "ズーム", rotate: "回転", shift_x: "横移動", shift_y: "縦移動", fold: "鏡", segments: "分割数", focus: "ぼかし・シャープ",
    inject: "入力", inject_gain: "混ぜる量", inject_blend: "合成", hue: "色相", invert: "反転", false_colour: "疑似カラー",
    freeze: "静止", blackout: "暗転", strobe_guard: "点滅制限", collapse_guard: "崩壊防止", output_size: "サイズ（px）",
    none: "なし", mirror: "左右", quad: "四面", kaleidoscope: "万華鏡", whole: "全体", person: "人物", edges: "輪郭",
    mix: "ミックス", add: "加算", screen: "スクリーン", multiply: "乗算", difference: "差分",
    tap: "テンポをタップ", undo: "元に戻す", "next preset": "次のプリセット", record: "録画", learn: "MIDI学習", "save map": "つまみを保存",
  },
};

export const t = translator(STRINGS);

/** The word for a control, a choice or a gesture. */
export const label = (name) => LABELS[currentLanguage()][name] ?? name.replaceAll("_", " ");

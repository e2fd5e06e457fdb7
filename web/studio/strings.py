"""Every sentence of the studio's own pages, in both languages, and the switch between them.

What comes from below keeps its one language, English: the sentences of errors and of the ladder, the machine's names.
The pages say in their own words which kind it is, and show the rest below. Figures: figure_words.py. What Streamlit
itself says: streamlit_words.py.
"""

import streamlit as st

from stylizer.errors import StylizerError

LANGUAGES = {"en": "English", "ja": "日本語"}
KEY = "language"

STRINGS = {
    "en": {
        "title": "stylizer studio",
        "warming_up": "Loading and warming up the networks. This happens once.",
        "not_opened": "The pipeline could not be opened: {error}",
        "live": "Live",
        "library": "Library",
        "compare": "Compare",
        "training": "Training",
        "bench": "Bench",
        "machine": "Machine",
        "below_best": "Runs on less than the best: {parts}. The page Machine says why.",
        "between": ", ",
        # In place of Streamlit's own words
        "choose_file": "Choose a file",
        "upload_limit": "at most {mib} MB",
        "drop_here": "Drop it here",
        "press_enter": "Enter takes it",
        # Parts of the ladder, and why one stands below its first rung
        "part_device": "the processor",
        "part_person": "finding people",
        "part_face": "faces",
        "part_matte": "cutting out",
        "part_style": "styles",
        "why_device": "No graphics card was found.",
        "why_person": "The best network for it is not here or cannot be used; the next best looks for people.",
        "why_face": "The network for eyes and mouth is not here or cannot be used; near faces get no drawn eyes.",
        "why_matte": "The best network for it is not here or cannot be used; the next best cuts out, more roughly.",
        "why_style": "A style could not be used and was left out.",
        # Kinds of errors, by their code
        "problem_error": "Something went wrong. Please try again.",
        "problem_bad_input": "This cannot be used as it is.",
        "problem_unreadable": "This file cannot be read.",
        "problem_model_missing": "The weights for this are not here yet.",
        "problem_model_rejected": "These weights or their card cannot be used.",
        "problem_not_found": "This is not here.",
        "problem_no_capacity": "Every place is taken just now. Please try again in a moment.",
        "problem_unavailable": "Something that is needed is not there just now.",
        # The table of controls: names and choices. Their explanations are in HELP below.
        "control_style": "Style",
        "control_style_strength": "Strength",
        "control_ink": "Ink",
        "control_eyes": "Eyes",
        "control_seed": "Look (seed)",
        "control_look": "Share of the look",
        "control_truncation_psi": "Truncation",
        "control_background": "Background",
        "control_background_colour": "Colour",
        "control_framing": "Framing",
        "control_mirror": "Mirror",
        "choice_plain": "Plain",
        "choice_picture": "Picture",
        "choice_blur": "Blur",
        "choice_room": "Room",
        "choice_figure": "Figure",
        "choice_scene": "Scene",
        # Live
        "stand": "Stand so that the camera sees you from head to foot.",
        "not_recorded": "Nothing is recorded.",
        "reroll": "Reroll",
        "own_colours": "Own colours",
        "start_camera": "Start camera",
        "play_clip": "Play the drawn clip",
        "stop": "Stop",
        "camera": "Camera",
        "clip": "Drawn clip",
        "connecting_again": "{source}, connecting again ({tries})",
        "given_up": "Given up after {tries} tries. {why}",
        "fps": "Pictures per second",
        "latency": "Latency {share}",
        "dropped": "Dropped",
        "dropped_help": "camera pictures replaced by a newer one before the pipeline was free",
        "failed": "{count} pictures failed in a stage; the last good one was shown instead.",
        "before_after": "Before and after",
        "no_pair": "No picture came just now.",
        "before": "Before: what the camera sees",
        "after": "After",
        # What keeps the picture from coming, and the words of the WebRTC component
        "silent": "The camera is on but sends nothing. Is its lens covered or switched off, or does another program "
        "use it?",
        "blocked": "No path was found for the picture: the network blocks video (UDP). Use the same network as the "
        "studio, or a relay (STYLIZER_TURN_URL).",
        "insecure": "The browser hides the camera here: cameras work only on https:// addresses and on "
        "http://localhost. The drawn clip works everywhere.",
        "asking": "Please allow the camera; the browser is asking for it, usually at the top of the window.",
        "absent": "No camera was found, or another program holds it. Connect one or close that program, then press "
        "Stop and start again.",
        "denied": "The camera was not allowed. Click the camera symbol in the address bar, allow it, then press Stop "
        "and start again.",
        "camera_on": "Camera on",
        "camera_off": "Camera off",
        "choose_camera": "Choose the camera",
        "connect": "Connect",
        "connect_anew": "Connect anew",
        # Presets
        "presets": "Presets",
        "kept_here": "Kept here",
        "play": "Play",
        "as_file": "As a file",
        "keep_as": "Keep what is set now as",
        "festival": "Festival evening",
        "keep": "Keep",
        "from_file": "From a file",
        "keep_and_play": "Keep and play it",
        "is_kept": "{title} is kept.",
        "is_kept_and_plays": "{title} is kept and plays.",
        # Library
        "styles": "Styles",
        "refused": "Refused: {refusal}",
        "drawing_preview": "Drawing a preview",
        "preview_of": "The drawn clip in the style {title}",
        "origin_embedded": "embedded",
        "origin_cache": "brought in",
        "origin_search_path": "on the search path",
        "trained": "{steps} steps in {hours} h, seed {seed}",
        "whole_card": "The whole card",
        "trained_on": "**Trained on** {data}",
        "trained_with": "**Trained on** {data}, with {machine}",
        "weak_points": "**Weak points**",
        "measure": "measure",
        "value": "value",
        "foreign_weights": "Weights that others trained",
        "instead": "**{title}**: the next best runs instead.",
        "weights_person": "Person detector",
        "weights_matte": "Video matting",
        "weights_pose": "Pose detector",
        "weights_silhouette": "Pose network with silhouette",
        "weights_mesh": "Face mesh",
        "weights_segmentation": "Light segmentation",
        "pull": "Pull",
        "pull_connecting": "{title}: connecting",
        "pulled_so_far": "{title}: {done} of {total} MB",
        "pulled": "{title} is here. It plays from the next start of the studio on.",
        "bring_in": "Bring in a style",
        "bring_in_more": "Two files, as `stylizer train export` writes them. They are checked and tried before they "
        "are kept.",
        "card": "Card (card.toml)",
        "weights": "Weights",
        "style_title": "Title",
        "style_title_help": "What people shall call it, here and on the booth. Left empty, the card says it.",
        "style_title_ja": "Title in Japanese",
        "check": "Check and bring in",
        "both_needed": "Both files are needed: the card and the weights.",
        "checking": "Checking, and trying it out",
        "not_taken": "Not taken: {error}",
        "brought_in": "{title} is here and plays at once; on the booth, from the next visitor on.",
        # Compare
        "left": "Left",
        "right": "Right",
        "own_film": "A film of your own, or the drawn clip",
        "seconds": "Seconds",
        "draw_both": "Draw both",
        "drawing_both": "Drawing both sides",
        "save_film": "Save the film",
        "way": "**{style}** · strength {strength} · ink {ink}",
        "way_seed": "**{style}** · strength {strength} · ink {ink} · seed {seed}",
        # Training
        "training_runs": "Training runs",
        "no_run": "No run is in `{folder}` (STYLIZER_RUNS). A run begins with `{command}`.",
        "run": "Run",
        "empty_log": "Its log is empty so far.",
        "run_state": "Step {step} · {state} · {lines} lines in its log",
        "running": "running",
        "resting": "resting for {minutes} min",
        "step": "step",
        "settings": "Settings",
        "setting": "setting",
        "no_samples": "No sample grid yet.",
        "samples": "**Samples** · photo, drawing wanted, drawing made, photo made",
        "at_step": "At step",
        "samples_of": "Samples of {run} at step {step}",
        # Bench
        "add_result": "Add a result",
        "result": "Result",
        "no_results": "No results yet: run a benchmark, or add the JSON file of one.",
        "waterfall": "Where the time goes",
        "no_floor": "No floor is known for these stages: only kernels whose bytes and arithmetic are counted have one.",
        "axis_ladder": "One bar for each way, in {unit}. A dashed green line is the machine's own limit.",
        "axis_waterfall": "One part after the other, in {unit}. Green is the floor: what no machine of this kind could "
        "save.",
        "axis_roofline": "Across: arithmetic per byte moved. Up: arithmetic per second (TFLOP/s). The green line is "
        "what the card can do.",
        "roofline": "Under the roof",
        "predicted": "The U-Net's floors on a card (prediction)",
        "graphics_card": "Card",
        "predicted_more": "By the data sheet; nothing here was measured. `python -m kernels.bench --json F` on a card "
        "replaces it.",
        "result_file": "A result's JSON file",
        "frames": "Frames of the drawn clip",
        "run_bench": "Run the pipeline's benchmark",
        "measuring": "Measuring. The studio's own stream would disturb it: stop that first.",
        "too_long": "The run took longer than {minutes} minutes and was ended.",
        "run_failed": "The run failed: {error}",
        # Machine
        "what_runs": "What runs",
        "part": "Part",
        "stands_on": "Runs on",
        "because": "Because",
        "first_choice": "first choice",
        "property": "property",
        "health": "Health",
        "thread_ended": "The pipeline's thread has ended: nobody is drawn any more. Start the studio again.",
        "memory": "Memory, at most",
        "drawn": "Pictures drawn",
        "failed_count": "Failed",
        "latency_worst": "Latency p95, worst",
        "places": "{taken} of {all} places taken.",
    },
    "ja": {
        "title": "stylizer スタジオ",
        "warming_up": "モデルを読み込んで準備しています。最初の一度だけです。",
        "not_opened": "パイプラインを開始できませんでした：{error}",
        "live": "ライブ",
        "library": "ライブラリ",
        "compare": "比較",
        "training": "学習",
        "bench": "ベンチ",
        "machine": "マシン",
        "below_best": "一部が代替手段で動いています：{parts}。理由は「マシン」のページにあります。",
        "between": "・",
        "choose_file": "ファイルを選ぶ",
        "upload_limit": "{mib} MB まで",
        "drop_here": "ここにドロップ",
        "press_enter": "Enter で確定",
        "part_device": "処理装置",
        "part_person": "人物の検出",
        "part_face": "顔",
        "part_matte": "切り抜き",
        "part_style": "スタイル",
        "why_device": "GPU が見つかりませんでした。",
        "why_person": "最良のモデルがないか使えないため、次善のモデルで人物を探しています。",
        "why_face": "目と口のモデルがないか使えないため、近い顔でも描いた目は付きません。",
        "why_matte": "最良のモデルがないか使えないため、次善の方法で切り抜いています。輪郭が粗くなります。",
        "why_style": "使えないスタイルがあったため、除いています。",
        "problem_error": "問題が起きました。もう一度お試しください。",
        "problem_bad_input": "このままでは使えません。",
        "problem_unreadable": "このファイルは読み取れません。",
        "problem_model_missing": "必要なモデルがまだありません。",
        "problem_model_rejected": "このモデルかそのカードは使えません。",
        "problem_not_found": "見つかりません。",
        "problem_no_capacity": "ただいま満席です。少し待ってからもう一度お試しください。",
        "problem_unavailable": "必要な機能が一時的に使えません。",
        "control_style": "スタイル",
        "control_style_strength": "強さ",
        "control_ink": "インク",
        "control_eyes": "目",
        "control_seed": "姿（シード）",
        "control_look": "姿を変える割合",
        "control_truncation_psi": "トランケーション",
        "control_background": "背景",
        "control_background_colour": "色",
        "control_framing": "画角",
        "control_mirror": "左右反転",
        "choice_plain": "無地",
        "choice_picture": "絵",
        "choice_blur": "ぼかし",
        "choice_room": "部屋",
        "choice_figure": "人物",
        "choice_scene": "全体",
        "stand": "頭から足まで映る位置に立ってください。",
        "not_recorded": "録画はしません。",
        "reroll": "別の姿",
        "own_colours": "自分の色に戻す",
        "start_camera": "カメラを始める",
        "play_clip": "サンプルを再生",
        "stop": "停止",
        "camera": "カメラ",
        "clip": "サンプル",
        "connecting_again": "{source}・再接続中（{tries}回目）",
        "given_up": "{tries}回試しましたが接続できません。{why}",
        "fps": "毎秒の枚数",
        "latency": "遅延 {share}",
        "dropped": "間引き",
        "dropped_help": "処理が空く前に、より新しい画像に置き換えられた枚数",
        "failed": "{count}枚の処理に失敗しました。代わりに直前の画像を表示しています。",
        "before_after": "変換前と変換後",
        "no_pair": "いまは画像が届いていません。",
        "before": "変換前（カメラの映像）",
        "after": "変換後",
        "silent": "カメラは動いていますが映像が届いていません。レンズのカバーや、他のアプリが使っていないかを"
        "確認してください。",
        "blocked": "映像の経路が見つかりません。ネットワークが映像（UDP）を遮断しています。"
        "スタジオと同じネットワークを使うか、中継サーバー（STYLIZER_TURN_URL）を設定してください。",
        "insecure": "このアドレスではカメラを使えません。カメラは https:// か http://localhost でのみ使えます。"
        "サンプルはどこでも再生できます。",
        "asking": "カメラを許可してください。ブラウザの上部に確認が表示されています。",
        "absent": "カメラが見つからないか、他のアプリが使用中です。カメラをつなぐか、そのアプリを終了してから、"
        "「停止」を押してもう一度始めてください。",
        "denied": "カメラが許可されていません。アドレスバーのカメラの印から許可し、「停止」を押して"
        "もう一度始めてください。",
        "camera_on": "カメラをオン",
        "camera_off": "カメラをオフ",
        "choose_camera": "カメラを選ぶ",
        "connect": "接続",
        "connect_anew": "接続し直す",
        "presets": "プリセット",
        "kept_here": "保存済み",
        "play": "再生",
        "as_file": "ファイルに保存",
        "keep_as": "いまの設定に名前を付けて保存",
        "festival": "Matsuri 2026",
        "keep": "保存",
        "from_file": "ファイル（TOML）から読み込む",
        "keep_and_play": "保存して再生",
        "is_kept": "{title} を保存しました。",
        "is_kept_and_plays": "{title} を保存し、再生しています。",
        "styles": "スタイル",
        "refused": "拒否しました：{refusal}",
        "drawing_preview": "見本を描いています",
        "preview_of": "スタイル {title} で描いたサンプル",
        "origin_embedded": "内蔵",
        "origin_cache": "追加したもの",
        "origin_search_path": "検索パスにあるもの",
        "trained": "{steps}ステップ・{hours}時間・シード {seed}",
        "whole_card": "カード全体",
        "trained_on": "**学習データ** {data}",
        "trained_with": "**学習データ** {data}、{machine}",
        "weak_points": "**弱点**",
        "measure": "指標",
        "value": "値",
        "foreign_weights": "公開されている学習済みモデル",
        "instead": "**{title}**がないため、次善の方法が動いています。",
        "weights_person": "人物検出",
        "weights_matte": "動画の切り抜き",
        "weights_pose": "姿勢検出",
        "weights_silhouette": "姿勢と輪郭",
        "weights_mesh": "顔のメッシュ",
        "weights_segmentation": "軽量な切り抜き",
        "pull": "取得",
        "pull_connecting": "{title}：接続中",
        "pulled_so_far": "{title}：{total} MB 中 {done} MB",
        "pulled": "{title} を取得しました。次にスタジオを起動したときから使われます。",
        "bring_in": "スタイルを追加",
        "bring_in_more": "`stylizer train export` が書き出す2つのファイルです。検査と試し描きをしてから保存します。",
        "card": "カード（card.toml）",
        "weights": "重み（safetensors・ONNX）",
        "style_title": "名前（英語）",
        "style_title_help": "ここやブースで表示される名前です。空欄ならカードに書かれた名前になります。",
        "style_title_ja": "名前（日本語）",
        "check": "検査して追加",
        "both_needed": "カードと重みの両方のファイルが必要です。",
        "checking": "検査と試し描きをしています",
        "not_taken": "追加できません：{error}",
        "brought_in": "{title} を追加しました。すぐに使えます。ブースには次の来場者から表示されます。",
        "left": "左",
        "right": "右",
        "own_film": "自分の動画（MP4・MOV・MKV、なければサンプル）",
        "seconds": "秒数",
        "draw_both": "両方を描く",
        "drawing_both": "両方を描いています",
        "save_film": "動画を保存",
        "way": "**{style}** ・強さ {strength} ・インク {ink}",
        "way_seed": "**{style}** ・強さ {strength} ・インク {ink} ・シード {seed}",
        "training_runs": "学習の記録",
        "no_run": "`{folder}`（STYLIZER_RUNS）に記録がありません。`{command}` で学習が始まります。",
        "run": "記録",
        "empty_log": "まだ何も記録されていません。",
        "run_state": "{step}ステップ・{state}・記録 {lines} 行",
        "running": "学習中",
        "resting": "{minutes}分前から停止",
        "step": "ステップ",
        "settings": "設定",
        "setting": "項目",
        "no_samples": "見本の一覧はまだありません。",
        "samples": "**見本** ・写真、目標の絵、描いた絵、再現した写真",
        "at_step": "ステップを選ぶ",
        "samples_of": "{run} の見本（{step}ステップ）",
        "add_result": "結果を追加",
        "result": "結果",
        "no_results": "結果がまだありません。ベンチマークを実行するか、結果の JSON ファイルを追加してください。",
        "waterfall": "時間の内訳",
        "no_floor": "これらの段階の下限は分かりません。転送量と演算量を数えたカーネルにだけ下限があります。",
        "axis_ladder": "方法ごとに1本の棒で、単位は{unit}です。緑の破線はマシンの上限です。",
        "axis_waterfall": "処理を順に並べたもので、単位は{unit}です。緑は下限、つまりこの種のマシンでは"
        "縮められない時間です。",
        "axis_roofline": "横軸は転送1バイトあたりの演算量、縦軸は毎秒の演算量（TFLOP/s）です。緑の線は"
        "GPUの性能の上限です。",
        "roofline": "ルーフライン",
        "predicted": "GPU での U-Net の下限（予測）",
        "graphics_card": "GPU",
        "predicted_more": "データシートによる予測で、実測ではありません。GPU 上の `python -m kernels.bench --json F` "
        "の結果があれば、そちらを表示します。",
        "result_file": "結果の JSON ファイル",
        "frames": "サンプルの枚数",
        "run_bench": "パイプラインのベンチマークを実行",
        "measuring": "測定中です。スタジオの配信は測定の妨げになるので、先に停止してください。",
        "too_long": "{minutes}分を超えたため、測定を打ち切りました。",
        "run_failed": "測定に失敗しました：{error}",
        "what_runs": "動いているもの",
        "part": "役割",
        "stands_on": "動作環境",
        "because": "理由",
        "first_choice": "第一候補",
        "property": "項目",
        "health": "状態",
        "thread_ended": "パイプラインのスレッドが終了したため、描画できません。スタジオを起動し直してください。",
        "memory": "最大メモリ",
        "drawn": "描いた枚数",
        "failed_count": "失敗",
        "latency_worst": "遅延 p95（最大）",
        "places": "{all}席中{taken}席を使用中。",
    },
}

# What each control does. English is the table's own.
HELP = {
    "style": "人物を描くスタイル",
    "style_strength": "0は写真のモデル、1はスタイル。間では重みを混ぜます",
    "ink": "スタイルの色の上に重ねる、本人の輪郭に沿った線と平塗りの量",
    "eyes": "近くの顔で、自分の目を描いた目に置き換える度合い",
    "seed": "0は本人の姿、その他の数は作り出した姿",
    "look": "0以外の姿が、本人の色を置き換える割合",
    "truncation_psi": "1より小さいと、姿がスタイルの平均に近づきます",
    "background": "人物の後ろに置くもの",
    "background_colour": "無地の背景の色",
    "framing": "人物：人物が正方形いっぱいに入ります。全体：画面全体を映します",
    "mirror": "鏡のように左右を入れ替えます",
}

# The figures' units. English is the results' own.
UNITS = {
    "frames per second": "毎秒の枚数",
    "different pictures per second": "毎秒の異なる画像の枚数",
    "ms per frame": "1枚あたりのミリ秒",
    "ms per picture": "1枚あたりのミリ秒",
    "µs per picture": "1枚あたりのマイクロ秒",
    "µs per launch": "1回の起動あたりのマイクロ秒",
    "least µs": "最短のマイクロ秒",
}

# Lines about the machine. English is their own; cpu, gpu, python are called so in Japanese, too.
FACTS = {"cores": "コア数", "system": "システム"}


def switch() -> None:
    """Draws the switch. The address carries the choice, so that a reload and a bookmark keep it."""
    st.session_state.setdefault(KEY, _browsers())
    with st.container(key="languages", width="content"):
        st.segmented_control(
            "Language 言語",
            list(LANGUAGES),
            format_func=LANGUAGES.__getitem__,
            required=True,
            key=KEY,
            label_visibility="collapsed",
            bind="query-params",
        )


def language() -> str:
    chosen: str = st.session_state.get(KEY) or _browsers()
    return chosen


def t(key: str, **values: object) -> str:
    """The sentence for `key`, with {name} replaced from `values`. Only a page's script may ask."""
    return STRINGS[language()][key].format(**values)


def said(error: Exception) -> str:
    """What an error means, in the page's language, and below it the error's own sentence."""
    key = f"problem_{error.code}" if isinstance(error, StylizerError) else ""
    return f"{t(key if key in STRINGS['en'] else 'problem_error')}\n\n{error}"


def unit_for(english: str) -> str:
    return UNITS.get(english.split(",")[0], english) if language() == "ja" else english


def fact_for(english: str) -> str:
    """What a line about the machine is called."""
    return FACTS.get(english, english) if language() == "ja" else english


def help_for(control: str, english: str) -> str:
    return HELP.get(control, english) if language() == "ja" else english


def _browsers() -> str:
    return "ja" if (st.context.locale or "").startswith("ja") else "en"

"""The studio: what `streamlit run` executes for every visitor on every change."""

from pathlib import Path

import streamlit as st

from web.studio import streamlit_words, strings
from web.studio.strings import said, t

LOGO = Path(__file__).parent.parent / "pages" / "shared" / "logo.svg"
STYLE = """
<style>
  [data-testid="stMainBlockContainer"] { padding-top: 5rem; max-width: 1280px; }
  [data-testid="stMetricValue"] { font-variant-numeric: tabular-nums; font-size: 1.7rem; }
  [data-testid="stBaseButton-primary"] { color: #1d1407; } /* dark on amber, as on the booth */
  div[data-testid="stCaptionContainer"], div[data-testid="stCaptionContainer"] * { color: #b3b1ab; opacity: 1; }
  .st-key-languages { position: fixed; top: 0.875rem; right: 1rem; width: max-content; z-index: 1000000; } /* header */
  @media (min-width: 1600px) and (max-aspect-ratio: 1/1) { /* an upright 4K screen, read from two metres */
    html { font-size: 27px; }
    [data-testid="stMainBlockContainer"] { max-width: none; }
  }
  [data-testid="stAppDeployButton"], #MainMenu { display: none; }
</style>
"""


def main() -> None:
    st.set_page_config(t("title"), page_icon=str(LOGO), layout="wide")
    st.logo(str(LOGO), size="large")
    st.html(STYLE)
    strings.switch()
    streamlit_words.cover()
    # Imported here: the networks' libraries take seconds, and until then the page would stay empty.
    with st.spinner(t("warming_up")):
        from stylizer.errors import StylizerError
        from web.studio import bench_page, compare_page, library_page, live_page, machine_page, resources, training_page

        try:
            resources.worker()
        except StylizerError as error:
            st.error(t("not_opened", error=said(error)))
            st.stop()
    pages = [
        st.Page(live_page.page, title=t("live"), icon=":material/videocam:", default=True),
        st.Page(library_page.page, title=t("library"), icon=":material/palette:", url_path="library"),
        st.Page(compare_page.page, title=t("compare"), icon=":material/compare:", url_path="compare"),
        st.Page(training_page.page, title=t("training"), icon=":material/show_chart:", url_path="training"),
        st.Page(bench_page.page, title=t("bench"), icon=":material/speed:", url_path="bench"),
        st.Page(machine_page.page, title=t("machine"), icon=":material/memory:", url_path="machine"),
        st.Page(live_page.again, title=t("live"), url_path="live", visibility="hidden"),
    ]
    st.navigation(pages, position="top").run()
    machine_page.warnings()


main()

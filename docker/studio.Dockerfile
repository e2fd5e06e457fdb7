# The studio: `stylizer studio`. The worker's image with another command, so that both share every layer.
ARG WORKER=stylizer-worker
FROM ${WORKER}

ENV STREAMLIT_BROWSER_GATHER_USAGE_STATS=false
EXPOSE 8501
HEALTHCHECK --interval=10s --timeout=5s --start-period=120s --retries=3 \
    CMD ["python", "-c", "from urllib.request import ProxyHandler, build_opener as make; make(ProxyHandler({})).open('http://127.0.0.1:8501/_stcore/health', timeout=4)"]
CMD ["stylizer", "studio"]

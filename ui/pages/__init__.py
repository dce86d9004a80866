"""The pages: a Gradio application in Chinese, mounted at the root of the service."""

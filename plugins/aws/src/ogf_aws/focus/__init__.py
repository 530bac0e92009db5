"""The stream `focus`: data exports of the tables FOCUS_1_0_AWS and FOCUS_1_2_AWS, from S3 or a local folder.

What becomes of a row is the core's mapping, `ogf.focus`.
"""

"""The stream `carbon_api`: what the AWS Sustainability API answers, for accounts without a carbon export.

`source` lists months and asks for their pages; `mapping` writes a page's rows as the stream `carbon` has them, whose
activities.sql they then go through.
"""

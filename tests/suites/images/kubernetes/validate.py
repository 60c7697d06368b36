"""Checks objects of Kubernetes, and values of the chart, given as JSON. Prints a list of problems as JSON."""

import json
import sys

import jsonschema
import kubernetes_validate

given = json.load(sys.stdin)
problems = []
for version in given["versions"]:
    for document in given["objects"]:
        name = f"{version}: {document.get('kind')} {document.get('metadata', {}).get('name')}"
        try:
            kubernetes_validate.validate(document, version, strict=True)
        except Exception as error:
            problems.append(f"{name}: {type(error).__name__}: {str(error).splitlines()[0]}")
validator = jsonschema.Draft7Validator(given["schema"])
for values in given["values"]:
    for error in validator.iter_errors(values):
        problems.append(f"{'.'.join(map(str, error.absolute_path))}: {error.message}")
json.dump(problems, sys.stdout)

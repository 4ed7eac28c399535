variable "name" {
  description = "Begins the name of everything."
  type        = string
  default     = "finpulse"
  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,20}$", var.name))
    error_message = "name: expected lower case letters, digits and -, at most 21, beginning with a letter."
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
}

variable "network" {
  description = "Addresses of the whole network."
  type        = string
  default     = "10.40.0.0/16"
  validation {
    condition     = can(cidrnetmask(var.network))
    error_message = "network: expected an IPv4 range such as 10.40.0.0/16."
  }
}

variable "kubernetes" {
  description = "Version of the cluster."
  type        = string
  default     = "1.33"
}

variable "api_from" {
  description = "Who reaches the cluster's API from outside; nobody unless named."
  type        = list(string)
  default     = []
  validation {
    condition     = !contains(var.api_from, "0.0.0.0/0")
    error_message = "api_from: 0.0.0.0/0 would open the cluster's API to everybody; name your own ranges."
  }
}

variable "gpu" {
  description = "Nodes with A100s: kind (p4d.24xlarge has 8 of 40 GB, p4de.24xlarge 8 of 80 GB) and the most of them."
  type        = object({ kind = string, most = number })
  default     = { kind = "p4d.24xlarge", most = 2 }
  validation {
    condition     = contains(["p4d.24xlarge", "p4de.24xlarge"], var.gpu.kind) && var.gpu.most >= 1
    error_message = "gpu: expected kind p4d.24xlarge or p4de.24xlarge and most of 1 or more."
  }
}

variable "database" {
  description = "Postgres for facts, Airflow and MLflow."
  type        = object({ kind = string, gigabytes = number, protected = bool })
  default     = { kind = "db.m7g.large", gigabytes = 100, protected = true }
}

variable "repository" {
  description = "The GitHub repository whose workflows may log in, as owner/name."
  type        = string
  validation {
    condition     = can(regex("^[\\w.-]+/[\\w.-]+$", var.repository))
    error_message = "repository: expected owner/name."
  }
}
